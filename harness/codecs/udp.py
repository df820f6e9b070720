"""UDP: heatmaps whose pixel centres are the input's, refined like DARK's, with half-pixel second differences.

As in DARK the factor of the modulation cancels, except where upstream clips values to 1e-3..50, the factor being at
least 1 and no scaled value above the maximum. Those keypoints are not certain, nor are those whose step is
ill-conditioned, nor those whose maximum is not positive: upstream then reads other keypoints' heatmaps.
Source and reference: exact/udp.py.
"""

import numpy as np
from torch import Tensor

from harness.arrays import Bool, Float32, Indices
from harness.codecs.heatmaps import Located, to_points
from harness.codecs.taylor import TOLERANCE, log_rounding, newton_step, observe_neighbours
from harness.protocol import Decoder, Size

REACH = 1
X = np.array([0, 1, -1, 0, 0, 1, -1])
Y = np.array([0, 0, 0, 1, -1, 1, -1])
"""The neighbours whose values are used."""


def observe_udp(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_udp`, on the heatmaps' device."""
    return observe_neighbours(heatmaps, decoder, REACH)


def locate_udp(
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
    points = to_points(index, scores, width).astype(np.float64)
    # Upstream repeats the edge.
    columns = np.clip(index[:, None] % width + X, 0, width - 1) - index[:, None] % width
    rows = np.clip(index[:, None] // width + Y, 0, height - 1) - index[:, None] // width
    values = blurred[np.arange(len(index))[:, None], REACH + rows, REACH + columns].astype(np.float64)
    smallest = values.min(axis=1)
    scale = np.array(input_size) / (np.array(decoder.heatmap_size) - 1)

    # Where these are no numbers, nothing is certain.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        c, e, w, s, n, se, nw = np.log(values).T
        epsilon = np.finfo(np.float32).eps  # upstream adds it to the Hessian's diagonal
        step = newton_step(
            dx=0.5 * (e - w),
            dy=0.5 * (s - n),
            dxx=e - 2 * c + w + epsilon,
            dxy=0.5 * (se - e - s + 2 * c - w - n + nw),
            dyy=s - 2 * c + n + epsilon,
            rounding=log_rounding(smallest, scores, largest),
        )
        certain = whole & (smallest > 1.01e-3) & (scores < 49) & (step.error * scale.max() < TOLERANCE)

    points += np.where(certain[:, None], np.stack([step.x, step.y], axis=-1), 0)
    return Located(points * scale, scores, certain)
