"""Poses to score, as a COCO results file holds them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, usable
from harness.errors import MALFORMED, ObtainError
from harness.files import read_json


@dataclass(frozen=True)
class Detections:
    """N scored poses with K keypoints each; within an image the order decides between equal scores."""

    image_ids: Int64
    """[N]"""
    keypoints: Float64
    """[N, K, 3] x, y in image px, and score."""
    scores: Float64
    """[N]"""
    boxes: Float64 | None
    """[N, 4] x, y, width, height, image px; without boxes a pose's size is the extent of its keypoints."""
    categories: Int64 | None = None
    """[N] `category_id`; None for poses of the only category."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, chosen: Bool | Indices) -> "Detections":
        """Return the poses of a mask [N], or of numbers [n] in their order."""
        boxes = None if self.boxes is None else self.boxes[chosen]
        categories = None if self.categories is None else self.categories[chosen]
        return Detections(
            self.image_ids[chosen], self.keypoints[chosen], self.scores[chosen], boxes=boxes, categories=categories
        )


def load_results_json(path: Path, num_keypoints: int) -> Detections:
    """Read a COCO keypoint results file, of whatever framework.

    Raises:
        ObtainError: The file is missing, is not JSON, or its entries are no poses of K keypoints.
    """
    entries = read_json(path, "the results file")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ObtainError(f"{path}: not a COCO results file: its top level is no list of objects")
    found = [entry.get("category_id") for entry in entries]
    whole = all(type(category) is int for category in found)
    if not whole and any(category != found[0] for category in found):
        raise ObtainError(f"{path}: results of several 'category_id', not all of which are whole numbers")
    image_ids = _column(path, entries, "image_id")
    # A double holds whole numbers below 2**53 exactly.
    if not ((np.abs(image_ids) < 2**53) & (image_ids == np.trunc(image_ids))).all():
        raise ObtainError(f"{path}: 'image_id' must be a whole number in every entry")
    # COCO.loadRes decides by the first entry whether the results have boxes.
    has_boxes = bool(entries and entries[0].get("bbox"))
    return Detections(
        image_ids=image_ids.astype(np.int64),
        keypoints=_column(path, entries, "keypoints", 3 * num_keypoints).reshape(-1, num_keypoints, 3),
        scores=_column(path, entries, "score"),
        boxes=_column(path, entries, "bbox", 4) if has_boxes else None,
        categories=_column(path, entries, "category_id").astype(np.int64) if whole and entries else None,
    )


def check_finite(path: Path, field: str, values: Float64) -> None:
    """Refuse poses with numbers that are not finite, or so large that products of them are not.

    Raises:
        ObtainError: Names the file, the field and the first such pose.
    """
    broken = ~usable(values.reshape(len(values), -1)).all(axis=1) if len(values) else np.zeros(0, bool)
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        raise ObtainError(f"{path}: '{field}' of {broken.sum()} poses is not finite, the first is number {first}")


def _column(path: Path, entries: list[dict[str, Any]], field: str, length: int | None = None) -> Float64:
    for number, entry in enumerate(entries):
        if field not in entry:
            raise ObtainError(f"{path}: entry {number} has no '{field}'")
    shape = (len(entries),) if length is None else (len(entries), length)
    try:
        column = np.array([entry[field] for entry in entries], np.float64) if entries else np.empty(shape)
    except MALFORMED:
        column = np.empty(())
    if column.shape != shape:
        expected = "one number" if length is None else f"{length} numbers"
        raise ObtainError(f"{path}: '{field}' must be {expected} in every entry")
    return column
