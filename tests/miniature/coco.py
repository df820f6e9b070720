"""COCO val2017: 17 keypoints, areas, outlines, a crowd region, people without labelled keypoints, detector boxes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.arrays import Bool
from harness.demo.annotate import COCO as NAMES

from .figures import Box, DataSet, category, detect, draw, flat, label, shown_box, write_image, write_json

ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"
BOXES = "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
IMAGES = "coco/val2017"
# Id, width and height, people, boxes.
PLAN = [
    (1101, (640, 425), 1, 22),
    (2202, (500, 333), 3, 20),
    (3303, (640, 429), 5, 18),
    (4404, (427, 480), 4, 17),
    (5505, (480, 360), 0, 5),
]
CROWDED = 4404
"""The image with a crowd region."""


def write(folder: Path) -> DataSet:
    """Write COCO's files into MMPose's data folder.

    In images of three or more people, the keypoints of the least visible person are not labelled.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for image_id, size, people, count in PLAN:
        scene, rng = draw(image_id, size, people, (90, 420), far_crowd=image_id == CROWDED)
        name = f"{image_id:012}.jpg"
        write_image(folder / IMAGES / name, scene)
        images.append({"license": 4, "file_name": name, "height": size[1], "width": size[0], "id": image_id})
        found: list[Box] = []
        for number, person in enumerate(sorted(scene.people, key=lambda person: -person.silhouette.sum())):
            keypoints = label(person, NAMES, rng)
            if number == people - 1 >= 2:
                keypoints[:] = 0
            x, y, width, height = shown_box(person)
            found.append((x + 0.25, y + 0.5, width - 0.5, height - 0.75))
            annotations.append(
                {
                    "segmentation": outline(person.silhouette),
                    "num_keypoints": int((keypoints[:, 2] > 0).sum()),
                    "area": float(person.silhouette.sum()) + 0.5,
                    "iscrowd": 0,
                    "keypoints": flat(keypoints),
                    "image_id": image_id,
                    "bbox": list(found[-1]),
                    "category_id": 1,
                    "id": 10 * image_id + people - number,  # as in COCO, not in ascending order
                }
            )
        if scene.far_crowd:
            x1, y1, x2, y2 = (max(round(side), 0) for side in scene.far_crowd)
            region = np.zeros((size[1], size[0]), bool)
            region[y1:y2, x1:x2] = True
            annotations.append(
                {
                    "segmentation": {"counts": run_lengths(region), "size": [size[1], size[0]]},
                    "num_keypoints": 0,
                    "area": float(region.sum()),
                    "iscrowd": 1,
                    "keypoints": [0] * (3 * len(NAMES)),
                    "image_id": image_id,
                    "bbox": [x1, y1, min(x2, size[0]) - x1, y2 - y1],
                    "category_id": 1,
                    "id": 900100000000 + image_id,
                }
            )
        boxes += detect(rng, image_id, size, found, count)
    licences = [{"url": "https://example.org", "id": 4, "name": "None"}]
    document = {"info": {"description": "Rendered."}, "licenses": licences, "categories": [category(NAMES)]}
    write_json(folder / ANNOTATIONS, document | {"images": images, "annotations": annotations})
    write_json(folder / BOXES, boxes)
    return DataSet(
        images=tuple(image["file_name"] for image in images),
        annotations=len(annotations),
        people=sum(one["num_keypoints"] > 0 for one in annotations),
        boxes=tuple(count for *_, count in PLAN),
    )


def outline(silhouette: Bool) -> list[list[float]]:
    """Return polygons around the parts of a silhouette, each a list x, y, x, y, ..."""
    contours, _ = cv2.findContours(silhouette.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour.ravel().astype(float).tolist() for contour in contours if len(contour) > 2]


def run_lengths(region: Bool) -> list[int]:
    """Return COCO's uncompressed run lengths of a mask, column by column, zeros first."""
    pixels = np.concatenate([[False], region.ravel(order="F")])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    return [int(length) for length in np.diff(np.concatenate([[0], changes, [region.size]]))]
