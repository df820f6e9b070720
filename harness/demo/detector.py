"""Simulates the boxes of a person detector: shifted, missing, duplicate, and false boxes."""

from typing import Any

import numpy as np

from harness.demo.skeleton import Rng

Box = tuple[float, float, float, float]
"""x, y, width, height, px."""


def detect(
    rng: Rng, image_id: int, size: tuple[int, int], people: list[tuple[Box, float]], lures: list[Box]
) -> list[dict[str, Any]]:
    """Return detections of one image, in the form of COCO's results.

    Args:
        rng: Random generator of all errors.
        image_id: The image.
        size: Its width and height, px.
        people: Box and visible share of each person.
        lures: Boxes of objects that look like a person.
    """
    found = []
    for box, shown in people:
        quality = float(np.clip(0.3 + 0.75 * shown + 0.14 * rng.normal(), 0.05, 0.98))
        if min(box[2:]) < 12 or rng.random() < 0.5 * (1 - quality):
            continue
        found.append((_jitter(rng, box, 1 - quality), quality * (0.9 + 0.1 * rng.random())))
        if rng.random() < 0.22:
            found.append((_jitter(rng, box, 1.6), quality * (0.2 + 0.5 * rng.random())))
    found += [(_jitter(rng, box, 0.8), 0.1 + 0.7 * rng.random()) for box in lures if rng.random() < 0.6]
    for _ in range(int(rng.integers(0, 3))):
        width, height = (30 + 0.4 * side * rng.random() for side in size)
        x, y = (size[0] - width) * rng.random(), (size[1] - height) * rng.random()
        found.append(((x, y, width, height), 0.02 + 0.35 * rng.random()))
    return [
        {"image_id": image_id, "category_id": 1, "bbox": _within(box, size), "score": round(score, 4)}
        for box, score in sorted(found, key=lambda item: -item[1])
    ]


def _jitter(rng: Rng, box: Box, amount: float) -> Box:
    """Shift and scale a box; with amount 1, its sides move by about a tenth of its size."""
    x, y, width, height = box
    left, top, right, bottom = ((0.05 + 0.07 * amount) * rng.normal(size=4)).tolist()
    return x + left * width, y + top * height, width * (1 + right - left), height * (1 + bottom - top)


def _within(box: Box, size: tuple[int, int]) -> list[float]:
    """Clip a box to the image."""
    x, y, width, height = box
    left, top = min(max(x, 0.0), size[0] - 8.0), min(max(y, 0.0), size[1] - 8.0)
    right, bottom = max(min(x + width, float(size[0])), left + 4), max(min(y + height, float(size[1])), top + 4)
    return [round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)]
