"""Random whole-body annotations, in COCO-WholeBody's form, with edge cases of its evaluation."""

from typing import Any

import numpy as np

from harness.metrics.families.wholebody import WholeBodyScoring
from harness.suites.metainfo import metainfo_of_file

from . import cases

FIELDS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
SIGMAS = metainfo_of_file("configs/_base_/datasets/coco_wholebody.py").sigmas
COCO_WHOLEBODY = WholeBodyScoring(sigmas=SIGMAS, area="annotation")


def annotations(rng: np.random.Generator, images: int = 5) -> dict[str, Any]:
    """Return a document with missing parts, fractional visibilities, and random flags."""
    document = cases.annotations(rng, 133, images)
    nobody_has = rng.choice([*FIELDS, ""], 2)
    labelled = np.zeros(133, bool)
    for person in document["annotations"]:
        keypoints = np.array(person.pop("keypoints")).reshape(133, 3)
        start = 0
        for field, count in FIELDS.items():
            part = keypoints[start : start + count]
            if rng.random() < 0.3 or field in nobody_has:
                part[:] = 0
            elif rng.random() < 0.3:
                part[:, 2] *= rng.uniform(0.01, 1, count).round(3)
            person[field] = part.ravel().tolist()
            labelled[start : start + count] |= part[:, 2] > 0
            start += count
        for name in ("face", "lefthand", "righthand", "foot"):
            person[f"{name}_valid"] = bool(rng.random() < 0.5)
        body = np.array(person["keypoints"])[2::3]
        person["num_keypoints"] = int((body > 0).sum()) if rng.random() < 0.8 else int(rng.integers(0, 3))
    return document if labelled.any() else annotations(rng, images)


def joined(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with each person's 133 keypoints in one list."""
    people = [
        {**person, "keypoints": [value for field in FIELDS for value in person[field]]}
        for person in document["annotations"]
    ]
    return {**document, "annotations": people}
