"""Box files of detectors as arrays: lists of {image_id, category_id, bbox [x, y, width, height], score}."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float64, Indices
from harness.datasets.coco_file import PERSON
from harness.datasets.columns import (
    WHOLE_NUMBERS,
    FormError,
    Integers,
    Numbers,
    integers,
    number_lists,
    numbers,
    records,
)
from harness.datasets.read_once import read_once
from harness.errors import ObtainError, brief
from harness.files import read_json

OVERHANG = 1.05
"""Boxes that reach beyond this many times the image's size overhang; only corners that are read as widths do so."""
OVERHANGING_SHARE = 0.1
"""Least share of overhanging boxes for which a file is taken to hold corners."""


@dataclass(frozen=True)
class BoxFile:
    """The B boxes of a file, in file order; missing or garbled fields are marked, not refused."""

    image_ids: Integers
    categories: Numbers
    """[B] `category_id`"""
    boxes: Numbers
    """[B, 4] x, y, width, height, px; MMPose ignores further numbers."""
    scores: Numbers
    """[B]"""

    def __len__(self) -> int:
        return len(self.image_ids)

    def people(self, path: Path) -> Indices:
        """Return the indices, [n], of the boxes of people.

        Raises:
            ObtainError: A box has no category; the message names `path`.
        """
        if not self.categories.given.all():
            raise ObtainError(
                f"{path}: entry {int((~self.categories.given).argmax())} has no category_id",
                f"write {PERSON}, the category of people, in every entry",
            )
        return np.flatnonzero(self.categories.values == PERSON)

    def found_categories(self) -> str:
        """Return the first categories of the boxes, for a message."""
        odd = [brief(value) for value in self.categories.odd.values()]
        values = self.categories.values[np.isfinite(self.categories.values)]
        found = list(dict.fromkeys([*(f"{value:g}" for value in np.unique(values).tolist()), *odd]))
        return f"category_id is {', '.join(found[:3]) or 'missing'}{' and others' if len(found) > 3 else ''}"

    def require_scores(self, path: Path, rows: Indices) -> Float64:
        """Return the scores of some boxes, [n], which may be infinite or NaN.

        Raises:
            ObtainError: A score is missing or is not a number; names the entry.
        """
        _require(path, "score", self.scores, rows, "a number")
        return self.scores.values[rows]

    def require_boxes(self, path: Path, rows: Indices) -> Float64:
        """Return some boxes, [n, 4], whose numbers may be infinite or NaN.

        Raises:
            ObtainError: A bbox is missing or is not four numbers, or an image_id is missing; names the entry.
        """
        strange = np.flatnonzero(~self.image_ids.known[rows])
        if len(strange):
            entry = int(rows[strange[0]])
            raise ObtainError(
                f"{path}: entry {entry}: image_id must be a whole number, not {brief(self.image_ids.odd[entry])}",
                WHOLE_NUMBERS,
            )
        _require(path, "bbox", self.boxes, rows, "4 numbers x, y, w, h")
        return self.boxes.values[rows]


def _require(path: Path, field: str, column: Numbers, rows: Indices, what: str) -> None:
    strange = rows[~column.known[rows]]
    if len(strange):
        entry = int(strange[0])
        if not column.given[entry]:
            raise ObtainError(f"{path}: entry {entry} has no {field}")
        raise ObtainError(f"{path}: entry {entry}: {field} must be {what}, not {brief(column.odd[entry])}")


@read_once
def read_boxes(path: Path) -> BoxFile:
    """Read a detector's box file.

    Raises:
        ObtainError: The file is missing or is not JSON.
        FormError: It is not a list of objects.
    """
    document = read_json(path, "the box file", "name another data folder with --data")
    if not records(document):
        raise FormError(path, "it is not a list of objects", "take a list of {image_id, category_id, bbox, score}")
    return BoxFile(
        image_ids=integers(document, "image_id"),
        categories=numbers(document, "category_id"),
        boxes=number_lists(document, "bbox", 4, longer=True),
        scores=numbers(document, "score"),
    )


def look_like_corners(boxes: Float64, sizes: Float64) -> bool:
    """Return whether boxes are plausible only as corners x1, y1, x2, y2.

    Args:
        boxes: [B, 4] the numbers of the file.
        sizes: [B, 2] width and height of each box's image, px; NaN where unknown.
    """
    measured = np.isfinite(boxes).all(axis=1) & np.isfinite(sizes).all(axis=1)
    boxes, sizes = boxes[measured], sizes[measured]
    if not len(boxes):
        return False
    as_corners: Bool = ((boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= sizes + 1)).all(axis=1)
    overhanging: Bool = (boxes[:, :2] + boxes[:, 2:] > sizes * OVERHANG).any(axis=1)
    return bool(as_corners.mean() > 0.99 and overhanging.mean() > OVERHANGING_SHARE)
