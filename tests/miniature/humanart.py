"""Human-Art's validation set: 17 keypoints and 4 more, images in folders of folders, boxes given as corners."""

from pathlib import Path
from typing import Any

from harness.demo.annotate import COCO

from .figures import Box, DataSet, category, detect, draw, flat, label, shown_box, write_image, write_json

ANNOTATIONS = "HumanArt/annotations/validation_humanart.json"
BOXES = "HumanArt/person_detection_results/HumanArt_validation_detections_AP_H_56_person.json"
IMAGES = "."
JOINTS = [*COCO, "left_hand", "right_hand", "left_toe", "right_toe"]
NAMES = [*COCO, "left_finger", "right_finger", "left_toe", "right_toe"]
# Id, file, width and height, people, boxes.
PLAN = [
    (2000000000011, "HumanArt/images/2D_virtual_human/digital_art/000000000011.jpg", (320, 438), 1, 4),
    (12000000000022, "HumanArt/images/3D_virtual_human/garage_kits/000000000022.jpg", (525, 450), 2, 5),
    (15000000000033, "HumanArt/images/real_human/acrobatics/000000000033.jpg", (400, 400), 2, 5),
]


def write(folder: Path) -> DataSet:
    """Write Human-Art's files into MMPose's data folder.

    The box file contains x1, y1, x2, y2, as MMPose's sample of the published file does; MMPose reads it as x, y, width,
    height.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for image_id, name, size, people, count in PLAN:
        scene, rng = draw(image_id % 1000, size, people, (170, 420))
        write_image(folder / name, scene)
        images.append({"file_name": name, "height": size[1], "width": size[0], "id": image_id, "author": "None"})
        found: list[Box] = []
        for number, person in enumerate(scene.people):
            keypoints = label(person, JOINTS, rng)
            found.append(shown_box(person))
            annotations.append(
                {
                    "keypoints": flat(keypoints[:17], 4),
                    "keypoints_21": flat(keypoints, 4),
                    "self_contact": [],
                    "num_keypoints": int((keypoints[:17, 2] > 0).sum()),
                    "num_keypoints_21": int((keypoints[:, 2] > 0).sum()),
                    "iscrowd": 0,
                    "image_id": image_id,
                    "area": 0.53 * found[-1][2] * found[-1][3],  # a fixed share of the box, as in Human-Art
                    "bbox": list(found[-1]),
                    "category_id": 1,
                    "id": 10 * image_id + number,
                    "annotator": 1,
                }
            )
        boxes += detect(rng, image_id, size, found, count)
    for box in boxes:
        x, y, width, height = box["bbox"]
        box["bbox"] = [x, y, x + width, y + height]
    document = {"info": {"description": "Rendered."}, "images": images, "annotations": annotations}
    write_json(folder / ANNOTATIONS, document | {"categories": [category(NAMES)]})
    write_json(folder / BOXES, boxes)
    return DataSet(
        images=tuple(image["file_name"] for image in images),
        annotations=len(annotations),
        people=len(annotations),
        boxes=tuple(count for *_, count in PLAN),
    )
