"""Poses to score, in the form of a COCO results file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, usable, what_is_unusable
from harness.errors import ObtainError, counted


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
    """[N, 4] x, y, width, height, image px; without boxes, the extent of the keypoints is a pose's size."""
    categories: Int64 | None = None
    """[N] `category_id`; None if there is only one category."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, chosen: Bool | Indices) -> "Detections":
        """Return the poses of a mask [N], or of indices [n] in their order."""
        boxes = None if self.boxes is None else self.boxes[chosen]
        categories = None if self.categories is None else self.categories[chosen]
        return Detections(
            self.image_ids[chosen], self.keypoints[chosen], self.scores[chosen], boxes=boxes, categories=categories
        )


def check_finite(path: Path, field: str, values: Float64) -> None:
    """Check that the numbers of poses are finite, and small enough for finite products.

    Raises:
        ObtainError: A number is not; names the file, the field, the first such pose and its number.
    """
    rows = values.reshape(len(values), -1) if len(values) else np.empty((0, 1))
    broken = ~usable(rows).all(axis=1)
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        number = rows[first][~usable(rows[first])][0]
        found = "null or NaN" if np.isnan(number) else f"{number:g}"
        raise ObtainError(
            f"{path}: '{field}' of {counted(int(broken.sum()), 'pose')} is {what_is_unusable(rows)}, "
            f"the first is number {first}: {found}",
            "write 0, 0, 0 for a keypoint that was not predicted" if field == "keypoints" else "write a finite number",
        )


def are_numbers(values: Iterable[Any]) -> bool:
    """Return whether all values of a JSON file are numbers or null, not texts or booleans, which NumPy converts."""
    return set(map(type, values)) <= {int, float, type(None)}


def keypoints_advice(found: Any, num_keypoints: int) -> str | None:
    """Return the advice for keypoints that are not [3 K] numbers; None for a value that is not a list."""
    if not isinstance(found, list):
        return None
    if len(found) == 2 * num_keypoints:
        return "add a third number after each x and y: the score of the keypoint, or 1"
    if any(isinstance(value, list) for value in found):
        return "write all numbers in one list: x, y, score of the first keypoint, then of the next"
    if len(found) == 3 * num_keypoints:
        return f"write {len(found)} finite numbers, without quotes, and no true or false"
    if found and len(found) % 3 == 0:
        return f"these are {len(found) // 3} keypoints, but the data set has {num_keypoints}: score under its own suite"
    return f"write x, y and score of {num_keypoints} keypoints"
