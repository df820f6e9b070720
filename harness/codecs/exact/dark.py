"""DARK: MSRA heatmaps, refined by a second-order Taylor expansion of the modulated log-heatmap at its maximum.

Source: mmpose/codecs/utils/refinement.py `refine_keypoints_dark` (Zhang et al., CVPR 2020).
"""

import numpy as np

from harness.arrays import Float32
from harness.codecs.exact.heatmaps import Neighbourhood, maxima, modulate
from harness.codecs.exact.inverse import inverses
from harness.codecs.exact.msra import strides
from harness.protocol import Decoder, Size


def decode_dark(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    assert decoder.blur_kernel_size is not None
    points, scores = maxima(heatmaps)
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0], points[..., 1]
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    logs = np.log(np.maximum(modulate(heatmaps, decoder.blur_kernel_size), np.float32(1e-10)))
    at = Neighbourhood(logs[inside], points[inside])

    # Differences of single-precision values, weighted in double precision, as upstream's scalars are.
    centre = 2 * at(0, 0).astype(np.float64)
    dx = 0.5 * (at(1, 0) - at(-1, 0)).astype(np.float64)
    dy = 0.5 * (at(0, 1) - at(0, -1)).astype(np.float64)
    dxx = 0.25 * (at(2, 0) - centre + at(-2, 0))
    dyy = 0.25 * (at(0, 2) - centre + at(0, -2))
    dxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)).astype(np.float64)

    gradient = np.stack([dx, dy], axis=-1)[..., None]
    hessian = np.stack([dxx, dxy, dxy, dyy], axis=-1).reshape(-1, 2, 2)
    solvable = dxx * dyy - dxy**2 != 0
    offsets = np.zeros((len(gradient), 2))
    offsets[solvable] = (-inverses(hessian[solvable]) @ gradient[solvable])[..., 0]
    points[inside] = points[inside] + offsets
    return points * strides(decoder, input_size), scores
