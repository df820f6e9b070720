"""Compares the metainfo's keypoints with those of the annotation file."""

import re
from collections.abc import Sequence

from harness.datasets.coco_file import Category
from harness.datasets.inspect.problems import Problems
from harness.suites.sigmas import SIGMAS_ADVICE, suspicious_sigmas

METAINFO = "the metainfo"
SIDES = {"l": "left", "r": "right"}


def check_names(problems: Problems, categories: Sequence[Category], used: set[int], names: Sequence[str]) -> None:
    """Add a problem for each category that has the metainfo's names of keypoints in another order.

    Args:
        problems: The problems of the annotation file.
        categories: The categories that it lists.
        used: The ids of categories with annotations.
        names: [K] the names in the metainfo.
    """
    expected = [_key(name) for name in names]
    for category in categories:
        found = [_key(name) for name in category.keypoints]
        if category.id not in used or len(set(found)) < len(found) or len(set(expected)) < len(expected):
            continue
        if len(found) != len(expected):  # other keypoints, as in the files of DeepFashion's subsets
            continue
        moved = [place for place, key in enumerate(found) if key in expected and expected.index(key) != place]
        if moved:
            name = category.keypoints[moved[0]]
            place = expected.index(found[moved[0]])
            problems.add(
                "fatal" if set(found) == set(expected) else "error",
                f"the keypoints are in another order than in the metainfo: number {moved[0] + 1} is {name!r}, "
                f"which is number {place + 1} there",
                "put the keypoints of the annotations in the metainfo's order, or change the metainfo's order",
                field="categories.keypoints",
            )


def check_sigmas(problems: Problems, sigmas: Sequence[float]) -> None:
    """Add a warning for sigmas whose order of magnitude no data set has."""
    if odd := suspicious_sigmas(sigmas):
        problems.add("warning", odd, SIGMAS_ADVICE, field="sigmas", file=METAINFO)


def _key(name: str) -> tuple[str, ...]:
    """Return a key that is the same for all spellings of a name, such as left_hip, Left Hip, hip_l and leftHip."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return tuple(sorted(SIDES.get(word.lower(), word.lower()) for word in words))
