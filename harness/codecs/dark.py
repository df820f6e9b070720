"""DARK: MSRA heatmaps, refined by a second-order Taylor expansion of the log of the blurred heatmap at its maximum.

Upstream scales the blurred heatmap so that its maximum is the heatmap's; in the derivatives of the logarithm that
factor, which is at least 1, cancels, so the blur is needed around the maximum only. It does not cancel where upstream
raises values to 1e-10: such keypoints are not certain, nor are those whose step is ill-conditioned.
Source and reference: exact/dark.py.
"""

import numpy as np
from torch import Tensor

from harness.arrays import Bool, Float32, Indices
from harness.codecs.exact.msra import strides
from harness.codecs.heatmaps import Located, to_points
from harness.codecs.taylor import TOLERANCE, log_rounding, newton_step, observe_neighbours
from harness.protocol import Decoder, Size

REACH = 2
X = np.array([0, 1, -1, 2, -2, 0, 0, 0, 0, 1, 1, -1, -1])
Y = np.array([0, 0, 0, 0, 0, 1, -1, 2, -2, 1, -1, 1, -1])
"""The neighbours whose values are used."""


def observe_dark(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_dark`, on the heatmaps' device."""
    return observe_neighbours(heatmaps, decoder, REACH)


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
    """Locate M keypoints from what `observe_neighbours` gives, in heatmaps of a width and height."""
    width, height = size
    points = to_points(index, scores, width)
    x, y = points.T
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    values = blurred[:, REACH + Y, REACH + X].astype(np.float64)
    smallest = values.min(axis=1)

    # Outside, nothing is refined and these may be anything; where they are no numbers, nothing is certain.
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
