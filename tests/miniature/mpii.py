"""MPII's validation set: a list of people with 16 joints, centre and scale, and head boxes in a MATLAB file."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from harness.demo.annotate import MPII as JOINTS

from .figures import DataSet, draw, head_box, label, write_image, write_json

ANNOTATIONS = "mpii/annotations/mpii_val.json"
HEADS = "mpii/annotations/mpii_gt_val.mat"
IMAGES = "mpii/images"
NECK, TOP = JOINTS.index("upper_neck"), JOINTS.index("top_head")
# Stem of the file name, width and height, number of people.
PLAN = [
    ("005808361", (640, 360), 2),
    ("052475643", (480, 360), 1),
    ("004645041", (640, 360), 1),
    ("060754485", (360, 480), 1),
]


def write(folder: Path) -> DataSet:
    """Write MPII's files into MMPose's data folder. Pixels count from 1.

    Joints outside of the image, and some hidden ones, are (-1, -1); both ends of each head are labelled.
    """
    people: list[dict[str, Any]] = []
    heads: list[list[list[float]]] = []
    for seed, (stem, size, count) in enumerate(PLAN):
        scene, rng = draw(seed, size, count, (150, 400))
        write_image(folder / IMAGES / f"{stem}.jpg", scene)
        for person in scene.people:
            joints = label(person, JOINTS, rng)
            for end in (NECK, TOP):
                joints[end] = *person.points[JOINTS[end]], 1
            shown = joints[:, 2] > 0
            x1, y1, x2, y2 = person.extent
            people.append(
                {
                    "joints_vis": shown.astype(int).tolist(),
                    "joints": np.where(shown[:, None], joints[:, :2].round(4) + 1, -1.0).tolist(),
                    "image": f"{stem}.jpg",
                    "scale": round((y2 - y1) / 200, 6),
                    "center": [float(round((x1 + x2) / 2) + 1), float(round((y1 + y2) / 2) + 1)],
                }
            )
            left, top, right, bottom = head_box(person)
            heads.append([[left + 1, top + 1], [right + 1, bottom + 1]])
    write_json(folder / ANNOTATIONS, people)
    savemat(
        folder / HEADS,
        {
            "headboxes_src": np.array(heads).transpose(1, 2, 0),
            "pos_gt_src": np.array([person["joints"] for person in people]).transpose(1, 2, 0),
            "jnt_missing": 1 - np.array([person["joints_vis"] for person in people], np.uint8).T,
        },
    )
    return DataSet(tuple(f"{stem}.jpg" for stem, *_ in PLAN), len(people), len(people))
