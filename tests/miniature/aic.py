"""AI Challenger's validation set: 14 keypoints, neither areas nor `iscrowd`, evaluated on annotated boxes."""

from pathlib import Path
from typing import Any

from harness.demo.annotate import whole_box

from .figures import DataSet, category, draw, flat, label, write_image, write_json

ANNOTATIONS = "aic/annotations/aic_val.json"
IMAGES = "aic/ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911"
JOINTS = [
    *(f"right_{joint}" for joint in ("shoulder", "elbow", "wrist")),
    *(f"left_{joint}" for joint in ("shoulder", "elbow", "wrist")),
    *(f"right_{joint}" for joint in ("hip", "knee", "ankle")),
    *(f"left_{joint}" for joint in ("hip", "knee", "ankle")),
    "top_head",
    "neck",
]
# Id, stem of the file name, width and height, number of people.
PLAN = [
    (1, "0a4d9ce9201beffc76e5ff2169d2af2f027002ca", (600, 400), 4),
    (2, "ba436c914fe4a8ec1ec5474af4d3820b84d17561", (450, 298), 2),
    (3, "ef945ae2e729f24eea992814639d59b3bdec8bd8", (320, 475), 3),
]


def write(folder: Path) -> DataSet:
    """Write AIC's files into MMPose's data folder."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, stem, size, people in PLAN:
        scene, rng = draw(image_id, size, people, (120, 380), crowded=people == 4)
        write_image(folder / IMAGES / f"{stem}.jpg", scene)
        images.append({"url": "", "file_name": f"{stem}.jpg", "height": size[1], "width": size[0], "id": image_id})
        for person in scene.people:
            keypoints = label(person, JOINTS, rng)
            annotations.append(
                {
                    "bbox": [round(side) for side in whole_box(person)],
                    "keypoints": flat(keypoints),
                    "num_keypoints": int((keypoints[:, 2] > 0).sum()),
                    "image_id": image_id,
                    "category_id": 1,
                    "id": len(annotations) + 4,
                }
            )
    names = [joint.replace("top_head", "head_top").replace("_", " ").title() for joint in JOINTS]
    document = {"info": {"description": "Rendered."}, "licenses": [], "categories": [category(names)]}
    write_json(folder / ANNOTATIONS, document | {"images": images, "annotations": annotations})
    return DataSet(tuple(image["file_name"] for image in images), len(annotations), len(annotations))
