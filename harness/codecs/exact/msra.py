"""MSRA heatmaps: a quarter pixel from the maximum towards the higher neighbour.

Source: mmpose/codecs/msra_heatmap.py, utils/refinement.py `refine_keypoints` (Xiao et al., ECCV 2018).
"""

from functools import lru_cache

import numpy as np

from harness.arrays import Float32
from harness.codecs.exact.heatmaps import Neighbourhood, maxima
from harness.protocol import Decoder, Size


def decode_msra(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    points, scores = maxima(heatmaps)
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0], points[..., 1]
    # The bounds are not alike on all sides; upstream's are kept.
    across = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    down = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    steps = np.zeros_like(points)
    for axis, inside, (dx, dy) in ((0, across, (1, 0)), (1, down, (0, 1))):
        at = Neighbourhood(heatmaps[inside], points[inside])
        steps[inside, axis] = np.sign(at(dx, dy) - at(-dx, -dy)) * np.float32(0.25)
    return (points + steps) * strides(decoder, input_size), scores


def strides(decoder: Decoder, input_size: Size) -> Float32:
    """Return input px per heatmap px, across and down: they differ where the aspect ratios do (AlexNet)."""
    return _strides(decoder.heatmap_size, input_size)


@lru_cache
def _strides(heatmap_size: Size, input_size: Size) -> Float32:
    factors: Float32 = (np.array(input_size) / np.array(heatmap_size)).astype(np.float32)
    return factors
