"""Maxima of heatmaps, their neighbouring values, and their positions in px of the heatmap and of the network's input.

Source of `maxima`: mmpose/codecs/utils/post_processing.py `get_heatmap_maximum`.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Float32, Indices
from harness.protocol import Decoder, Size

if TYPE_CHECKING:
    from torch import Tensor


def maxima(heatmaps: Float32) -> tuple[Float32, Float32]:
    """Locate the maximum of each heatmap [N, K, H, W].

    Returns:
        The positions x, y [N, K, 2], heatmap px, -1 where the maximum is not positive; and the maxima [N, K].
    """
    n, k, h, w = heatmaps.shape
    flat = heatmaps.reshape(n, k, h * w)
    index = flat.argmax(axis=-1)
    values = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    points = np.stack([index % w, index // w], axis=-1).astype(np.float32)
    points[values <= 0] = -1
    return points, values


class Neighbourhood:
    """Reads values at offsets from given points of heatmaps.

    Args:
        heatmaps: [M, H, W]
        points: [M, 2] x, y; integers, so far inside the heatmap that all offsets used stay inside as well.
    """

    def __init__(self, heatmaps: Float32, points: Float32) -> None:
        self._heatmaps = heatmaps
        self._index = np.arange(len(heatmaps))
        self._x, self._y = points.astype(np.intp).T

    def __call__(self, dx: int, dy: int) -> Float32:
        """Return the values [M] at `dx`, `dy` from the points."""
        values: Float32 = self._heatmaps[self._index, self._y + dy, self._x + dx]
        return values


def find_maxima(heatmaps: Tensor) -> Tensor:
    """Return the row-major position [M] of the first maximum of each contiguous heatmap [N, K, H, W]; M = N K."""
    return heatmaps.view(-1, heatmaps.shape[2] * heatmaps.shape[3]).argmax(-1)


def values_at(heatmaps: Tensor, index: Tensor) -> Tensor:
    """Return the values [M] of contiguous heatmaps [N, K, H, W] at row-major positions [M], one per heatmap."""
    return heatmaps.view(len(index), -1).gather(1, index[:, None])[:, 0]


def to_points(index: Indices, scores: Float32, width: int) -> Float32:
    """Return positions [M] as x, y [M, 2], heatmap px, -1 where the maximum is not positive."""
    points = np.empty((len(index), 2), np.float32)
    points[:, 1], points[:, 0] = np.divmod(index, width)
    points[scores <= 0] = -1
    return points


def strides(decoder: Decoder, input_size: Size) -> Float32:
    """Return input px per heatmap px along x and y.

    They differ where heatmap and input have different aspect ratios, as for AlexNet.
    """
    return _strides(decoder.map_size, input_size)


@lru_cache
def _strides(heatmap_size: Size, input_size: Size) -> Float32:
    factors: Float32 = (np.array(input_size) / np.array(heatmap_size)).astype(np.float32)
    return factors
