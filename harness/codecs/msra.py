"""MSRA heatmaps: a keypoint is the maximum, moved by a quarter pixel towards the higher neighbour.

The fast paths compare unchanged heatmap values, so each keypoint is certain and equals MMPose's to the last bit.
Source: mmpose/codecs/msra_heatmap.py, utils/refinement.py `refine_keypoints` (Xiao et al., ECCV 2018).
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from harness.arrays import Bool, Float32, Indices
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.loops import flatten, place_of_maximum
from harness.codecs.maxima import Neighbourhood, find_maxima, maxima, strides, to_points
from harness.protocol import Decoder, Size

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def decode_msra(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    points, scores = maxima(heatmaps)
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0], points[..., 1]
    # The bounds differ between the sides, as in MMPose.
    across = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    down = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    steps = np.zeros_like(points)
    for axis, inside, (dx, dy) in ((0, across, (1, 0)), (1, down, (0, 1))):
        at = Neighbourhood(heatmaps[inside], points[inside])
        steps[inside, axis] = np.sign(at(dx, dy) - at(-dx, -dy)) * np.float32(0.25)
    return (points + steps) * strides(decoder, input_size), scores


def observe_msra(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_msra`, on the heatmaps' device."""
    height, width = heatmaps.shape[2:]
    index = find_maxima(heatmaps)
    cross = (index + _crosses(len(index), height, width, heatmaps.device)).clamp(0, heatmaps.numel() - 1)
    return index, heatmaps.view(-1).index_select(0, cross.view(-1)).view(cross.shape)


@lru_cache
def _crosses(count: int, height: int, width: int, device: torch.device) -> Tensor:
    """Return offsets [5, count] of centre, right, left, below and above in `count` heatmaps stored one after another.

    The offsets are those of a maximum at position 0 of its heatmap.
    """
    import torch

    cross = torch.tensor([[0], [1], [-1], [width], [-width]], device=device)
    return cross + torch.arange(0, count * height * width, height * width, device=device)


def locate_msra(index: Indices, values: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from the positions of their maxima [M] and the values there and beside [5, M] (`_crosses`)."""
    width, height = size
    scores, right, left, below, above = values
    points = to_points(index, scores, width)
    x, y = points.T
    # The bounds differ between the sides, as in MMPose. Outside them the neighbours' values are not used.
    across = (x > 1) & (x < width - 1) & (y > 0)
    down = (y > 1) & (y < height - 1) & (x > 0)
    x += across * np.sign(right - left) * np.float32(0.25)
    y += down * np.sign(below - above) * np.float32(0.25)
    return locate_stepped(points, scores, size, decoder, input_size)


def locate_stepped(points: Float32, scores: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from x, y [M, 2], heatmap px, and scores [M]."""
    return Located(points * strides(decoder, input_size), scores, all_certain(len(points)))


@lru_cache
def all_certain(count: int) -> Bool:
    """Return a read-only array [count] of True, cached: making it takes a tenth of the time to locate a batch."""
    certain = np.ones(count, bool)
    certain.flags.writeable = False
    return certain


def observe_msra_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_stepped`."""
    maps = flatten(heatmaps)
    results = np.empty((len(maps), 2), np.float32), np.empty(len(maps), np.float32)
    step_from_maxima(maps, *results)
    return results


@njit(nogil=True, cache=True)
def step_from_maxima(heatmaps: Float32, points: Float32, scores: Float32) -> None:
    """Find the maxima of heatmaps, and step a quarter pixel from them towards the higher neighbours, as MSRA does.

    Args:
        heatmaps: [M, H, W], contiguous.
        points: To be filled with x, y [M, 2], heatmap px, -1 where the maximum is not positive.
        scores: The maxima [M].
    """
    height, width = heatmaps.shape[1:]
    quarter = np.float32(0.25)
    bits, peaks = heatmaps.view(np.int32), np.empty(height, np.int32)
    for i in range(len(heatmaps)):
        y, x = place_of_maximum(heatmaps, bits, i, peaks)
        score = heatmaps[i, y, x]
        scores[i], points[i, 0], points[i, 1] = score, x if score > 0 else -1, y if score > 0 else -1
        # The bounds differ between the sides, as in MMPose.
        if score > 0 and 1 < x < width - 1 and y > 0:
            points[i, 0] += quarter * np.sign(heatmaps[i, y, x + 1] - heatmaps[i, y, x - 1])
        if score > 0 and 1 < y < height - 1 and x > 0:
            points[i, 1] += quarter * np.sign(heatmaps[i, y + 1, x] - heatmaps[i, y - 1, x])


class Msra(Codec):
    """MMPose's MSRAHeatmap without `unbiased`."""

    name = "msra"
    settings = {"type": "MSRAHeatmap", "sigma": 2}
    steps = True
    on_cpu = FastPath(observe_msra_on_cpu, locate_stepped)
    on_device = FastPath(observe_msra, locate_msra)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        if settings["type"] != "MSRAHeatmap" or settings.get("unbiased"):
            return None
        return self.decoder(tuple(settings["heatmap_size"]))

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
        """As `Codec.decode`."""
        return decode_msra(heatmaps, decoder, input_size)


PLUGIN = Msra()
