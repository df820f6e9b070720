"""Detector box files: lists of {image_id, category_id, bbox [x, y, width, height], score}."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.box_file import BoxFile, look_like_corners
from harness.datasets.coco_file import PERSON, image_positions
from harness.datasets.columns import WHOLE_NUMBERS, Integers
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.problems import OFFICIAL, Problem, Problems, Severity, chosen, if_many
from harness.errors import brief


@dataclass(frozen=True)
class Detected:
    """The counts and problems of a box file."""

    boxes: int
    """Boxes of people."""
    used: int
    """Boxes of people with a score of at least the threshold."""
    images: frozenset[int]
    """The ids of images with used boxes."""
    problems: tuple[Problem, ...]


def inspect_boxes(
    file: str, detections: BoxFile, images: ImageList, score_threshold: float | None, *, corners_expected: bool
) -> Detected:
    """Inspect a detector's box file.

    Args:
        file: The path for messages.
        detections: The content of the file.
        images: The images of the annotation file.
        score_threshold: Boxes with a lower score are not used.
        corners_expected: MMPose's sample of the box file holds corners, which MMPose reads as widths (Human-Art).
    """
    problems = Problems(file)
    add = partial(problems.add, what="box")
    index = np.arange(len(detections))
    people = detections.categories.values == PERSON
    listed = Integers(np.array(images.ids, np.int64), {})
    image = np.where(detections.image_ids.known, image_positions(listed, detections.image_ids.values), -1)
    boxes, scores = detections.boxes.shaped(4), detections.scores.shaped()

    if not len(detections):
        problems.add("error", "it has no boxes", "detect people again, or use another file")
    elif not people.any():
        advice = f"write {PERSON}: MMPose reads people from that category alone, for any category of the annotations"
        text = f"no box of category {PERSON} (people): {detections.found_categories()}"
        problems.add("error", text, advice, field="category_id")
    no_person = "of a category other than people, not used"
    add("note", no_person, "harmless", field="category_id", ids=index[~people].tolist())
    odd = ~detections.image_ids.known
    if odd.any():
        text = f"not a whole number, but {brief(detections.image_ids.odd[int(odd.argmax())])} in the first"
        add("error", text, WHOLE_NUMBERS, field="image_id", ids=index[people & odd].tolist())
    add(
        "error",
        "of an image that the annotations do not list",
        "take the box file that was made for these images",
        field="image_id",
        ids=index[people & (image < 0) & ~odd].tolist(),
    )
    bad = np.isnan(boxes).any(axis=1)
    for field, text, faulty in (
        ("bbox", "missing, or not four numbers", bad),
        ("score", "missing, or not from 0 to 1", ~((scores >= 0) & (scores <= 1))),
    ):
        add("error", text, OFFICIAL, field=field, ids=index[people & faulty].tolist())
    size = images.sizes[image] if len(images.ids) else np.full((len(image), 2), np.nan)
    size[image < 0] = np.nan
    _check_geometry(problems, boxes, size, people & ~bad & np.isfinite(size).all(axis=1), corners_expected)
    lowest = -np.inf if score_threshold is None else np.float32(score_threshold)
    used = people & (scores.astype(np.float32) >= lowest)
    with_boxes = frozenset(np.array(images.ids, np.int64)[image[used & (image >= 0)]].tolist())
    without = np.array([i not in with_boxes for i in images.ids], bool) & images.has_people
    problems.add(
        if_many(without, images.has_people),
        "people are annotated, but there is no box: these people cannot be found",
        "harmless if few; otherwise the file was made for a part of the images",
        what="image",
        ids=chosen(images.ids, without),
    )
    return Detected(int(people.sum()), int(used.sum()), with_boxes, tuple(problems.found))


def _check_geometry(problems: Problems, boxes: Float64, size: Float64, measured: Bool, corners_expected: bool) -> None:
    """Add problems of the units, the form and the place of boxes, [B, 4], in images of `size`, [B, 2].

    Only the boxes in `measured`, [B], are inspected.
    """
    add = partial(problems.add, field="bbox", what="box")
    index = np.arange(len(boxes))
    shares = measured & (np.abs(boxes) <= 1).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    if shares.any() and shares.sum() > measured.sum() / 2:
        add(
            "fatal",
            "from 0 to 1, like fractions of the image; they are read as pixels",
            "multiply x and width by the width of the image, y and height by its height",
            ids=index[shares].tolist(),
        )
    elif look_like_corners(boxes[measured], size[measured]):
        severity: Severity = "warning" if corners_expected else "fatal"
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
            add(
                if_many(measured & faulty, measured),
                text,
                "harmless if few: no person is found in such a box",
                ids=index[measured & faulty].tolist(),
            )
