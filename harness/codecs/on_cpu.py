"""What the codecs observe of heatmaps on a CPU, in one thread: sharing so little work costs what it gains."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.arrays import Float32
from harness.codecs.heatmaps import ROUNDING
from harness.codecs.kernels import blur_around_maxima, find_blurred, step_from_maxima
from harness.protocol import Decoder


def observe_msra_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_stepped`."""
    maps = _flatten(heatmaps)
    results = np.empty((len(maps), 2), np.float32), np.empty(len(maps), np.float32)
    step_from_maxima(maps, *results)
    return results


def observe_neighbours_on_cpu(heatmaps: Tensor, decoder: Decoder, reach: int) -> tuple[npt.NDArray[Any], ...]:
    """Return what `observe_neighbours` does."""
    maps = _flatten(heatmaps)
    count, edge = len(maps), 2 * reach + 1
    index, scores, largest = np.empty(count, np.intp), np.empty(count, np.float32), np.empty(count, np.float32)
    blurred = np.empty((count, edge, edge), np.float32)
    blur_around_maxima(maps, _taps(decoder.blur_kernel_size), index, scores, blurred, largest)
    return index, scores, blurred, largest, np.ones(count, bool)


def observe_megvii_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_found`."""
    maps = _flatten(heatmaps)
    count = len(maps)
    results = np.empty((count, 2), np.float32), np.empty(count, np.float32), np.empty(count, bool)
    find_blurred(maps, _taps(decoder.blur_kernel_size), 3 * ROUNDING, *results)
    return results


def _flatten(heatmaps: Tensor) -> Float32:
    """Return heatmaps [N, K, H, W], contiguous, as [N K, H, W]."""
    maps: Float32 = heatmaps.numpy().reshape(-1, *heatmaps.shape[2:])
    return maps


@lru_cache
def _taps(kernel_size: int | None) -> Float32:
    """Return the kernel of a decoder's blur, along x and y."""
    assert kernel_size is not None
    taps: Float32 = cv2.getGaussianKernel(kernel_size, 0, cv2.CV_32F)[:, 0]
    return taps
