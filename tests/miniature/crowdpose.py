"""CrowdPose test: 14 keypoints, no areas, a crowd index for each image, YOLOv3's boxes."""

from pathlib import Path
from typing import Any

from harness.demo.annotate import CROWDPOSE, whole_box
from harness.demo.dataset import crowd_index

from .figures import Box, DataSet, category, detect, draw, flat, label, write_image, write_json

ANNOTATIONS = "crowdpose/annotations/mmpose_crowdpose_test.json"
BOXES = "crowdpose/annotations/det_for_crowd_test_0.1_0.5.json"
IMAGES = "crowdpose/images"
NAMES = [*CROWDPOSE[:-2], "head", "neck"]
# Id, width and height, number of people, whether they stand close together, number of boxes.
PLAN = [(106, (640, 425), 3, False, 6), (103, (480, 360), 5, True, 8), (109, (360, 480), 1, False, 2)]
"""Their crowd indices are medium, high and low, so that each of AP(M), AP(H) and AP(E) covers one image. As in
CrowdPose, they are not in ascending order."""


def write(folder: Path) -> DataSet:
    """Write CrowdPose's files into MMPose's data folder; the last person of the first image has no keypoints."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for image_id, size, people, crowded, count in PLAN:
        scene, rng = draw(image_id, size, people, (150, 330), crowded=crowded)
        write_image(folder / IMAGES / f"{image_id}.jpg", scene)
        found: list[tuple[Box, list[int]]] = []
        for number, person in enumerate(scene.people):
            keypoints = label(person, CROWDPOSE, rng)
            if image_id == PLAN[0][0] and number == people - 1:
                keypoints[:] = 0
            found.append((whole_box(person), [int(value) for value in flat(keypoints)]))
            annotations.append(
                {
                    "num_keypoints": int((keypoints[:-2, 2] > 0).sum()),  # head and neck do not count
                    "iscrowd": 0,
                    "keypoints": found[-1][1],
                    "image_id": image_id,
                    "bbox": list(found[-1][0]),
                    "category_id": 1,
                    "id": 1000 * image_id + number,
                }
            )
        size_and_index = {"height": size[1], "width": size[0], "crowdIndex": crowd_index(found)}
        images.append({"file_name": f"{image_id}.jpg", "id": image_id, **size_and_index})
        boxes += detect(rng, image_id, size, [box for box, _ in found], count)
    write_json(folder / ANNOTATIONS, {"categories": [category(NAMES)], "images": images, "annotations": annotations})
    write_json(folder / BOXES, boxes)
    return DataSet(
        images=tuple(image["file_name"] for image in images),
        annotations=len(annotations),
        people=sum(one["num_keypoints"] > 0 for one in annotations),
        boxes=tuple(count for *_, count in PLAN),
    )
