"""MSRA heatmaps: a quarter pixel from the maximum towards the higher neighbour.

Compares values of the heatmap itself, so every keypoint is certain and equal to upstream's to the last bit.
Source and reference: exact/msra.py.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from harness.arrays import Bool, Float32, Indices
from harness.codecs.exact.msra import strides
from harness.codecs.heatmaps import Located, find_maxima, to_points
from harness.protocol import Decoder, Size


def observe_msra(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_msra`, on the heatmaps' device."""
    height, width = heatmaps.shape[2:]
    index = find_maxima(heatmaps)
    cross = (index + _crosses(len(index), height, width, heatmaps.device)).clamp(0, heatmaps.numel() - 1)
    return index, heatmaps.view(-1).index_select(0, cross.view(-1)).view(cross.shape)


@lru_cache
def _crosses(count: int, height: int, width: int, device: torch.device) -> Tensor:
    """Return where a cross begins in each of `count` heatmaps [5, count]: centre, right, left, below and above."""
    cross = torch.tensor([[0], [1], [-1], [width], [-width]], device=device)
    return cross + torch.arange(0, count * height * width, height * width, device=device)


def locate_msra(index: Indices, values: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from their maxima's positions [M] and the values there and next to it [5, M] (`_crosses`)."""
    width, height = size
    scores, right, left, below, above = values
    points = to_points(index, scores, width)
    x, y = points.T
    # The bounds are not alike on all sides; upstream's are kept. Outside them the neighbours mean nothing.
    across = (x > 1) & (x < width - 1) & (y > 0)
    down = (y > 1) & (y < height - 1) & (x > 0)
    x += across * np.sign(right - left) * np.float32(0.25)
    y += down * np.sign(below - above) * np.float32(0.25)
    return locate_stepped(points, scores, size, decoder, input_size)


def locate_stepped(points: Float32, scores: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from x, y [M, 2], heatmap px, and scores [M]."""
    return Located(points * strides(decoder, input_size), scores, _all_certain(len(points)))


@lru_cache
def _all_certain(count: int) -> Bool:
    """Return that `count` keypoints are; made once, which takes a tenth of what the keypoints of a batch do."""
    certain = np.ones(count, bool)
    certain.flags.writeable = False
    return certain
