"""Annotates rendered people as an annotator would: keypoints with visibility, box and area."""

from dataclasses import dataclass

import numpy as np

from harness.demo.person import PARTS
from harness.demo.scene import Person

FACE = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
LIMBS = [
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]

COCO = [*FACE, *LIMBS]
CROWDPOSE = [*LIMBS, "top_head", "neck"]
MPII = [
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "neck",
    "upper_neck",
    "top_head",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
]

_AROUND = {
    "shoulder": ("trunk", "upper_arm"),
    "elbow": ("upper_arm", "forearm"),
    "wrist": ("forearm",),
    "hip": ("trunk", "thigh"),
    "knee": ("thigh", "shin"),
    "ankle": ("shin",),
}

ABSENT, HIDDEN, VISIBLE = 0, 1, 2
"""COCO's visibility flags: not labelled, labelled but hidden, labelled and visible."""

MIN_SHOWN = 12
"""Visible pixels of a limb that are necessary to label its hidden joints."""


@dataclass(frozen=True)
class Label:
    """A labelled or unlabelled keypoint."""

    x: int
    """px; 0 if not labelled."""
    y: int
    flag: int
    """ABSENT, HIDDEN or VISIBLE."""


def label_keypoints(person: Person, names: list[str]) -> list[Label]:
    """Label a person's keypoints, rounded to whole pixels as COCO does.

    Keypoints outside the image, of a face turned away, or of a completely hidden limb are not labelled.
    """
    return [_label(person, name) for name in names]


def _label(person: Person, name: str) -> Label:
    x, y = (round(value) for value in person.points[name])
    height, width = person.parts.shape
    absent = Label(0, 0, ABSENT)
    if not (0 <= x < width and 0 <= y < height) or _turned_away(person, name):
        return absent
    around = _parts_around(name)
    if person.parts[y, x] in around:
        return Label(x, y, VISIBLE)
    return Label(x, y, HIDDEN) if np.isin(person.parts, around).sum() >= MIN_SHOWN else absent


def _parts_around(name: str) -> list[int]:
    side, _, joint = name.partition("_")
    if joint in _AROUND:
        return [PARTS.index(part if part == "trunk" else f"{side}_{part}") for part in _AROUND[joint]]
    return [PARTS.index(part) for part in (["head"] if name in (*FACE, "top_head") else ["head", "trunk"])]


def _turned_away(person: Person, name: str) -> bool:
    """Return whether a landmark of the face is on the far side of the head."""
    if name not in FACE:
        return False
    # In units of the body's height; the head is about 0.15 deep.
    return bool(person.body.joints[name][2] > person.body.joints["head"][2] + 0.015)


def visible_box(person: Person) -> tuple[int, int, int, int] | None:
    """Return x, y, width and height of the visible part of a person, px; None if nothing is visible."""
    columns, rows = person.silhouette.any(axis=0).nonzero()[0], person.silhouette.any(axis=1).nonzero()[0]
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def whole_box(person: Person) -> tuple[float, float, float, float]:
    """Return x, y, width and height of a person including hidden parts, within the image; px."""
    height, width = person.silhouette.shape
    left, top, right, bottom = person.extent
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, width - 1.0), min(bottom, height - 1.0)
    return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)
