"""DARK: MSRA heatmaps, refined by a second-order Taylor expansion of the modulated log-heatmap at its maximum.

MMPose scales the blurred heatmap so that its maximum equals the heatmap's. This factor, at least 1, cancels in the
derivatives of the logarithm, so the fast paths need the blur around the maximum only. It does not cancel if MMPose
raises values to 1e-10: such keypoints are not certain, nor are those with an ill-conditioned step.
Source: mmpose/codecs/utils/refinement.py `refine_keypoints_dark` (Zhang et al., CVPR 2020).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.arrays import Bool, Float32, Indices
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.inverse import inverses
from harness.codecs.maxima import Neighbourhood, maxima, strides, to_points
from harness.codecs.modulation import modulate
from harness.codecs.taylor import (
    TOLERANCE,
    log_rounding,
    newton_step,
    observe_neighbours,
    observe_neighbours_on_cpu,
)
from harness.protocol import Decoder, Size

REACH = 2
X = np.array([0, 1, -1, 2, -2, 0, 0, 0, 0, 1, 1, -1, -1])
Y = np.array([0, 0, 0, 0, 0, 1, -1, 2, -2, 1, -1, 1, -1])
"""Offsets of the neighbours whose values are used."""


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


def locate_dark(
    index: Indices,
    scores: Float32,
    blurred: Float32,
    largest: Float32,
    whole: Bool,
    size: Size,
    decoder: Decoder,
    input_size: Size,
) -> Located:
    """Locate M keypoints from the result of `observe_neighbours`, in heatmaps of size (width, height)."""
    width, height = size
    points = to_points(index, scores, width)
    x, y = points.T
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    values = blurred[:, REACH + Y, REACH + X].astype(np.float64)
    smallest = values.min(axis=1)

    # Keypoints at the border are not refined, and their values may be anything; if they are NaN, nothing is certain.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        c, e, w, ee, ww, s, n, ss, nn, se, ne, sw, nw = np.log(values).T
        step = newton_step(
            dx=0.5 * (e - w),
            dy=0.5 * (s - n),
            dxx=0.25 * (ee - 2 * c + ww),
            dxy=0.25 * (se - ne - sw + nw),
            dyy=0.25 * (ss - 2 * c + nn),
            rounding=log_rounding(smallest, scores, largest),
        )
        factors = strides(decoder, input_size)
        certain = ~inside | (whole & (smallest > 1.01e-10) & (step.error * factors.max() < TOLERANCE))

    points += np.where((inside & certain)[:, None], np.stack([step.x, step.y], axis=-1), 0)
    return Located(points * factors, scores, certain)


class Dark(Codec):
    """MMPose's MSRAHeatmap with `unbiased`."""

    name = "dark"
    kernels = (7, 11, 15, 17)
    settings = {"type": "MSRAHeatmap", "sigma": 2, "unbiased": True, "blur_kernel_size": 11}
    on_cpu = FastPath(partial(observe_neighbours_on_cpu, reach=REACH), locate_dark)
    on_device = FastPath(partial(observe_neighbours, reach=REACH), locate_dark)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        if settings["type"] != "MSRAHeatmap" or not settings.get("unbiased"):
            return None
        return self.decoder(tuple(settings["heatmap_size"]), settings.get("blur_kernel_size", 11))

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
        """As `Codec.decode`."""
        return decode_dark(heatmaps, decoder, input_size)


PLUGIN = Dark()
