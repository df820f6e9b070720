"""Detector box files: lists of {image_id, category_id, bbox [x, y, width, height], score}."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.columns import integer, numbers, records
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.people import PERSON
from harness.datasets.inspect.problems import Problem, Problems, Severity, chosen

AGAIN = "take the official box file, or correct this one"
OVERHANG = 1.05
"""A detector's boxes end inside the image; read as widths, corners reach beyond this many times its size."""
OVERHANGING_SHARE = 0.1


@dataclass(frozen=True)
class Detected:
    """What a box file holds."""

    boxes: int
    """Of people."""
    used: int
    """Of these, with a score of at least the threshold."""
    images: frozenset[int]
    """Those that have boxes in use."""
    problems: tuple[Problem, ...]


def inspect_boxes(
    file: str, document: Any, images: ImageList, score_threshold: float | None, *, corners_expected: bool
) -> Detected:
    """Inspect a detector's box file.

    Args:
        file: For messages.
        document: Its JSON.
        images: Those of the annotation file.
        score_threshold: Boxes with a lower score are not used.
        corners_expected: MMPose's sample of this data set's file holds corners (Human-Art), read as widths.

    Raises:
        ObtainError: It has not the form of a box file.
    """
    detections = records(document, "it")
    problems = Problems(file)
    index = np.arange(len(detections))
    people = np.array([detection.get("category_id") == PERSON for detection in detections], bool)
    image_ids = [integer(detection, "image_id") for detection in detections]
    position = {image: n for n, image in enumerate(images.ids)}
    image = np.array([-1 if i is None else position.get(i, -1) for i in image_ids], np.intp)
    boxes = numbers([d | {"bbox": d["bbox"][:4]} if _long(d) else d for d in detections], "bbox", 4)
    scores = numbers(detections, "score")

    if not people.any():
        problems.add("error", f"no box of category {PERSON}, people", AGAIN, field="category_id")
    problems.add(
        "warning",
        "of another category than people, not used",
        "harmless",
        field="category_id",
        what="box",
        ids=index[~people].tolist(),
    )
    problems.add(
        "error",
        "of an image that the annotations do not list",
        "take the box file that was made for these images",
        field="image_id",
        what="box",
        ids=index[people & (image < 0)].tolist(),
    )
    bad = np.isnan(boxes).any(axis=1)
    for field, text, faulty in (
        ("bbox", "missing, or not four numbers", bad),
        ("score", "missing, or not from 0 to 1", ~((scores >= 0) & (scores <= 1))),
    ):
        problems.add("error", text, AGAIN, field=field, what="box", ids=index[people & faulty].tolist())
    size = images.sizes[image] if len(images.ids) else np.full((len(image), 2), np.nan)
    size[image < 0] = np.nan
    measured = people & ~bad & np.isfinite(size).all(axis=1)
    if _corners(boxes[measured], size[measured]):
        severity: Severity = "warning" if corners_expected else "error"
        problems.add(
            severity,
            "looks like x1, y1, x2, y2; it is read as x, y, width, height",
            "leave it: MMPose's sample of Human-Art's file is the same, and MMPose reads it so"
            if corners_expected
            else "subtract x1 and y1 from the last two numbers of each box",
            field="bbox",
        )
    else:
        flat = (boxes[:, 2:] <= 0).any(axis=1)
        outside = ((boxes[:, :2] >= size) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)
        for text, faulty in (("width or height is zero or negative", flat), ("outside of the image", outside & ~flat)):
            problems.add(
                "warning",
                text,
                "harmless if few: such a box finds nobody",
                field="bbox",
                what="box",
                ids=index[measured & faulty].tolist(),
            )
    lowest = -np.inf if score_threshold is None else np.float32(score_threshold)
    used = people & (scores.astype(np.float32) >= lowest)
    with_boxes = frozenset(np.array(images.ids, np.int64)[image[used & (image >= 0)]].tolist())
    without = np.array([i not in with_boxes for i in images.ids], bool) & images.has_people
    problems.add(
        "warning",
        "people are annotated, but there is no box: none of them can be found",
        "harmless if few; otherwise the file was made for a part of the images",
        what="image",
        ids=chosen(images.ids, without),
    )
    return Detected(int(people.sum()), int(used.sum()), with_boxes, tuple(problems.found))


def _long(detection: dict[str, Any]) -> bool:
    """Tell whether a box has a fifth number, which MMPose ignores."""
    box = detection.get("bbox")
    return isinstance(box, list) and len(box) > 4


def _corners(boxes: Float64, size: Float64) -> bool:
    """Tell whether the boxes, [B, 4], make sense only as corners x1, y1, x2, y2."""
    if not len(boxes):
        return False
    as_corners: Bool = ((boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= size + 1)).all(axis=1)
    overhanging: Bool = (boxes[:, :2] + boxes[:, 2:] > size * OVERHANG).any(axis=1)
    return bool(as_corners.mean() > 0.99 and overhanging.mean() > OVERHANGING_SHARE)
