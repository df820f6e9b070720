"""COCO-WholeBody's validation file: COCO's people with feet, faces and hands, and boxes and flags of these.

It uses COCO's images, and contains the difficult cases of the real file: parts without labels, a labelled face that is
not valid, a person with only the face labelled, right hands with fractional visibility, a hand whose box leaves the
image.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float64

from . import coco
from .figures import SEED, DataSet, Rng, flat, write_json

ANNOTATIONS = "coco/annotations/coco_wholebody_val_v1.0.json"
NOSE, WRISTS, ANKLES = 0, {"lefthand": 9, "righthand": 10}, (15, 16)
COUNTS = {"foot": 6, "face": 68, "lefthand": 21, "righthand": 21}


def write(folder: Path) -> DataSet:
    """Write the file into MMPose's data folder, which must contain COCO's."""
    document: dict[str, Any] = json.loads((folder / coco.ANNOTATIONS).read_bytes())
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    rng = np.random.default_rng([SEED, 133])
    for person in document["annotations"]:
        _add_parts(person, sizes[person["image_id"]], rng)
    people = [person for person in document["annotations"] if not person["iscrowd"]]
    last = people[-1]  # only their face is labelled
    last |= {"num_keypoints": 0, "keypoints": [0] * 51} | _face(last["bbox"][:2], last["bbox"][3] / 10, rng)
    first = next(person for person in people if person["face_valid"])
    first["face_valid"] = False
    hand = next(person for person in people if person["lefthand_valid"])
    x, _, width, _ = hand["lefthand_box"]
    hand["lefthand_box"][2] = max(sizes[hand["image_id"]][0] - x + 8.5, width)
    write_json(folder / ANNOTATIONS, document)
    return DataSet(
        images=tuple(image["file_name"] for image in document["images"]),
        annotations=len(document["annotations"]),
        people=sum(person["num_keypoints"] > 0 for person in people),
        boxes=tuple(count for *_, count in coco.PLAN),
    )


def _add_parts(person: dict[str, Any], size: tuple[int, int], rng: Rng) -> None:
    """Add the fields of the parts around the nose, the wrists and the ankles, if these are labelled."""
    for part, count in COUNTS.items():
        person |= {f"{part}_kpts": [0.0] * (3 * count), f"{part}_box": [0.0] * 4, f"{part}_valid": False}
    del person["foot_box"]
    body = np.array(person["keypoints"], float).reshape(17, 3)
    extent = float(np.sqrt(person["area"]))
    if person["iscrowd"]:
        return
    if body[NOSE, 2] and rng.random() < 0.8:
        person |= _face(body[NOSE, :2].tolist(), 0.1 * extent, rng)
    for part, wrist in WRISTS.items():
        if not body[wrist, 2]:
            continue
        points = _around(body[wrist, :2], 0.06 * extent, COUNTS[part], rng)
        if part == "righthand" and rng.random() < 0.6:
            points[:, 2] = rng.uniform(0.01, 0.6, len(points)).round(4)
        person |= _fields(part, points, margin=0.3)
    feet = [_around(body[ankle, :2], 0.05 * extent, 3, rng) * bool(body[ankle, 2]) for ankle in ANKLES]
    inside = (np.concatenate(feet)[:, :2] < size).all(axis=1)
    person["foot_kpts"] = flat(np.concatenate(feet) * inside[:, None], 2)
    person["foot_valid"] = any(person["foot_kpts"])


def _face(nose: list[float], reach: float, rng: Rng) -> dict[str, Any]:
    return _fields("face", _around(np.array(nose), reach, COUNTS["face"], rng), margin=0.1)


def _around(center: Float64, reach: float, count: int, rng: Rng) -> Float64:
    """Return keypoints [count, 3] in a square around a place, most of them visible."""
    points = np.abs(center + rng.uniform(-reach, reach, (count, 2)))
    return np.column_stack([points, rng.choice([1, 1, 1, 2], count)])


def _fields(part: str, points: Float64, margin: float) -> dict[str, Any]:
    """Return the fields of a part, whose box is larger than its keypoints by a share of their extent."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    rim = margin * (high - low)
    box = [*(low - rim).round(2).tolist(), *(high - low + 2 * rim).round(2).tolist()]
    return {f"{part}_kpts": flat(points, 4), f"{part}_box": box, f"{part}_valid": True}
