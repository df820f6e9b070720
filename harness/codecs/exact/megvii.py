"""Megvii heatmaps (CPN, MSPN, RSN): maximum of the blurred heatmap, a quarter pixel on, at the pixel's middle.

Source: mmpose/codecs/megvii_heatmap.py (Li et al., MSPN, 2019).
"""

import numpy as np

from harness.arrays import Float32
from harness.codecs.exact.heatmaps import Neighbourhood, maxima, modulate
from harness.codecs.exact.msra import strides
from harness.protocol import Decoder, Size

PEAK = np.float32(255)
"""A trained heatmap's maximum."""


def decode_megvii(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    assert decoder.blur_kernel_size is not None
    blurred = modulate(heatmaps, decoder.blur_kernel_size)
    points, scores = maxima(blurred)
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0], points[..., 1]
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    at = Neighbourhood(blurred[inside], points[inside])
    step = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    points[inside] += np.sign(step) * np.float32(0.25) + np.float32(0.5)
    return points * strides(decoder, input_size), scores / PEAK + np.float32(0.5)
