"""`People`: the boxes and images that crops are made from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.arrays import Bool, Float32, Float64, Floating, Indices, Int64

PIXELS_PER_SCALE = 200
"""The side of a square of scale 1, px, in files that give a centre and a scale in place of a box."""


def square_sizes(scales: Float64) -> Float32:
    """Return the widths and heights of squares with some scales [M], [M, 2] px."""
    return np.repeat(scales.astype(np.float32)[:, None], 2, axis=1) * np.float32(PIXELS_PER_SCALE)


def boxes_about(centers: Float32, sizes: Float32) -> Float32:
    """Return the boxes about centres [M, 2] with sizes [M, 2], [M, 4] x1, y1, x2, y2."""
    top_left = centers - np.float32(0.5) * sizes
    return np.concatenate([top_left, top_left + sizes], axis=1)


@dataclass(frozen=True)
class People:
    """N people with a box each, in the order of MMPose's data set; a pose is estimated in each box."""

    ids: Int64
    """[N] annotation id (ground-truth boxes) or index in the box file (detections)."""
    image_ids: Int64
    """[N]"""
    boxes: Float32
    """[N, 4] x1, y1, x2, y2 in image px."""
    scores: Float32
    """[N] detector score; 1 for ground truth."""
    centers: Float32
    """[N, 2] box centres, px."""
    sizes: Float32
    """[N, 2] box widths and heights before padding, px."""
    images: dict[int, Path]
    """The image file of each id in `image_ids`."""

    @classmethod
    def from_boxes(
        cls,
        ids: Sequence[int] | npt.NDArray[np.integer[Any]],
        image_ids: Sequence[int] | Int64,
        boxes: Sequence[Float32] | Float32,
        scores: Sequence[float] | Floating,
        images: dict[int, Path],
    ) -> "People":
        """Return people whose crops are centred on their boxes (`bbox_xyxy2cs` in mmpose/structures/bbox)."""
        corners = np.array(boxes, np.float32).reshape(-1, 4)
        of_images = np.array(image_ids, np.int64)
        return cls(
            ids=np.array(ids, np.int64),
            image_ids=of_images,
            boxes=corners,
            scores=np.array(scores, np.float32),
            centers=(corners[:, 2:] + corners[:, :2]) * np.float32(0.5),
            sizes=corners[:, 2:] - corners[:, :2],
            images={i: images[i] for i in dict.fromkeys(of_images.tolist())},
        )

    def __len__(self) -> int:
        return len(self.ids)

    def first_images(self, count: int) -> "People":
        """Return the people of the first `count` images with people."""
        return self.take(np.isin(self.image_ids, list(self.images)[:count]))

    def first_people(self, count: int) -> "People":
        """Return the first `count` people."""
        return self.take(np.arange(len(self)) < count)

    def by_image(self) -> Indices:
        """Return the indices [N] of people image by image, in the order of the images, which is the order of work."""
        number_of = {image_id: number for number, image_id in enumerate(self.images)}
        return np.argsort([number_of[image_id] for image_id in self.image_ids.tolist()], kind="stable")

    def take(self, chosen: Bool | Indices) -> "People":
        """Return the people of a mask [N], or of indices [n] in their order."""
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "images"}
        kept = set(arrays["image_ids"].tolist())
        return People(**arrays, images={i: path for i, path in self.images.items() if i in kept})
