"""Sub-JHMDB: three splits, 15 keypoints, PNG frames in a folder for each video, pixels counted from 1."""

from pathlib import Path
from typing import Any

from harness.demo.scene import Scene

from .figures import DataSet, category, draw, flat, label, shown_box, write_image, write_json

ANNOTATIONS = "jhmdb/annotations/Sub{}_test.json"
IMAGES = "jhmdb"
NAMES = [
    "neck",
    "belly",
    "head",
    "right_shoulder",
    "left_shoulder",
    "right_hip",
    "left_hip",
    "right_elbow",
    "left_elbow",
    "right_knee",
    "left_knee",
    "right_wrist",
    "left_wrist",
    "right_ankle",
    "left_ankle",
]
# Id, frame, the splits that test it.
PLAN = [
    (2280001, "Rename_Images/catch/Frisbee_catch_f_cm_np1_ri_med_0/00001.png", (1, 2)),
    (2280002, "Rename_Images/catch/Frisbee_catch_f_cm_np1_ri_med_0/00002.png", (1, 3)),
    (2300001, "Rename_Images/catch/Goalkeeper_Training_Day_@_7_catch_f_cm_np1_ri_med_0/00001.png", (1, 2, 3)),
    (2310001, "Rename_Images/swing_baseball/Swing_baseball_f_cm_np1_ri_med_1/00001.png", (2, 3)),
]
SIZE = (320, 240)


def write(folder: Path) -> DataSet:
    """Write JHMDB's files into MMPose's data folder; return the content of its first split: people inside the image.

    The last frame's person is cut off at the edge, and their keypoints outside the image are labelled too.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, name, splits in PLAN:
        scene, rng = draw(image_id, SIZE, 1, (110, 200), until=_inside if 1 in splits else _cut_off)
        (person,) = scene.people
        write_image(folder / IMAGES / name, scene)
        images.append(
            {
                "is_labeled": True,
                "file_name": name,
                "nframes": 37,
                "frame_id": image_id,
                "vid_id": f"{image_id // 10000:05}",
                "id": image_id,
                "width": SIZE[0],
                "height": SIZE[1],
            }
        )
        keypoints = label(person, NAMES, rng, beyond_edge=True)
        keypoints[:, :2] += 1
        keypoints[:, 2] = 2  # all are labelled as visible
        x, y, width, height = shown_box(person)
        annotations.append(
            {
                "keypoints": flat(keypoints, 6),
                "track_id": 0,
                "image_id": image_id,
                "bbox": [float(x + 1), float(y + 1), float(width), float(height)],
                "scores": [],
                "category_id": 1,
                "id": 1000000000000 + image_id,
            }
        )
    for split in (1, 2, 3):
        chosen = [index for index, (*_, splits) in enumerate(PLAN) if split in splits]
        document = {
            "categories": [category(NAMES)],
            "images": [images[index] for index in chosen],
            "annotations": [annotations[index] for index in chosen],
        }
        write_json(folder / ANNOTATIONS.format(split), document)
    first = tuple(name for _, name, splits in PLAN if 1 in splits)
    return DataSet(first, len(first), len(first))


def _inside(scene: Scene) -> bool:
    """Return whether the whole person is in the image."""
    x1, y1, x2, y2 = scene.people[0].extent
    return min(x1, y1) > 0 and x2 < SIZE[0] and y2 < SIZE[1]


def _cut_off(scene: Scene) -> bool:
    return not _inside(scene)
