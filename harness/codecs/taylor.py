"""The Taylor step that DARK and UDP take from a heatmap's maximum, and a bound of MMPose's rounding error in it."""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.arrays import Float32, Float64
from harness.codecs.loops import blur_around_maxima, flatten
from harness.codecs.maxima import find_maxima, values_at
from harness.codecs.modulation import ROUNDING, blur_around, taps
from harness.protocol import Decoder

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 0.005
"""Largest effect of rounding on a keypoint called certain, px of the network's input: half of what is promised."""


class Step(NamedTuple):
    """Newton's steps -H⁻¹ g from M maxima, heatmap px."""

    x: Float64
    y: Float64
    error: Float64
    """Largest error of a step in single precision; NaN or infinite if there is no step."""


def observe_neighbours(heatmaps: Tensor, decoder: Decoder, reach: int) -> tuple[Tensor, ...]:
    """Return each heatmap's maximum, its position [M] and value [M], and the `Surroundings` of the maximum."""
    assert decoder.blur_kernel_size is not None
    index = find_maxima(heatmaps)
    return index, values_at(heatmaps, index), *blur_around(heatmaps, index, decoder.blur_kernel_size, reach)


def observe_neighbours_on_cpu(heatmaps: Tensor, decoder: Decoder, reach: int) -> tuple[npt.NDArray[Any], ...]:
    """Return the same for heatmaps on a CPU, in one thread: several threads would cost as much as they save."""
    maps = flatten(heatmaps)
    count, edge = len(maps), 2 * reach + 1
    index, scores, largest = np.empty(count, np.intp), np.empty(count, np.float32), np.empty(count, np.float32)
    blurred = np.empty((count, edge, edge), np.float32)
    blur_around_maxima(maps, taps(decoder.blur_kernel_size), index, scores, blurred, largest)
    return index, scores, blurred, largest, np.ones(count, bool)


def log_rounding(smallest: Float64, scores: Float32, largest: Float32) -> Float64:
    """Bound the difference between upstream's and our logarithms of modulated heatmaps [M], up to a constant.

    Args:
        smallest: The smallest blurred value whose logarithm is used, positive.
        scores: The highest value that was blurred.
        largest: The largest absolute value that was blurred.
    """
    # Modulated values lie between the blurred value and the maximum; the rounding of logarithms is relative to them.
    logs = np.maximum(np.abs(np.log(smallest)), np.abs(np.log(np.maximum(scores, smallest))))
    bound: Float64 = ROUNDING * largest / smallest + np.finfo(np.float32).eps * (1 + logs)
    return bound


def newton_step(dx: Float64, dy: Float64, dxx: Float64, dxy: Float64, dyy: Float64, rounding: Float64) -> Step:
    """Solve for the extremum of a quadratic with this gradient and Hessian, each from logarithms with errors [M].

    To first order, errors of g and H move the step by H⁻¹ (δg + δH step). No entry of g has an error above `rounding`,
    and none of H above 4 times that, so the norm of H's error is at most 8 times that.
    """
    determinant = dxx * dyy - dxy * dxy
    x = (dxy * dy - dyy * dx) / determinant
    y = (dxy * dx - dxx * dy) / determinant
    smallest_eigenvalue = np.abs(np.abs(dxx + dyy) / 2 - np.hypot((dxx - dyy) / 2, dxy))
    error = rounding * (np.sqrt(2) + 8 * np.hypot(x, y)) / smallest_eigenvalue
    return Step(x, y, error)
