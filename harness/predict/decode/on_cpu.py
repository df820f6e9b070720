"""What the codecs observe of heatmaps on a CPU, in as many threads as torch uses.

No thread is waited for that has not begun: where other work holds the processors up, the caller does all of it.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.arrays import Float32, Indices
from harness.predict.decode.heatmaps import ROUNDING
from harness.predict.decode.kernels import blur_around, find_blurred, step_to_neighbours
from harness.protocol import Decoder

_PART = 272
"""Heatmaps that a thread takes at a time: enough to be worth the calls, few enough to be waited for."""
_HELPERS = ThreadPoolExecutor(os.cpu_count(), "decode")
"""Threads beside the caller's, started when first needed."""


def observe_msra_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_stepped`."""
    maps = _flatten(heatmaps)
    count = len(maps)
    index, points, scores = np.empty(count, np.intp), np.empty((count, 2), np.float32), np.empty(count, np.float32)

    def observe(start: int, stop: int) -> None:
        _find_maxima(maps, start, stop, index)
        step_to_neighbours(maps, start, stop, index, points, scores)

    _share(count, observe)
    return points, scores


def observe_neighbours_on_cpu(heatmaps: Tensor, decoder: Decoder, reach: int) -> tuple[npt.NDArray[Any], ...]:
    """Return what `observe_neighbours` does."""
    maps, taps = _flatten(heatmaps), _taps(decoder.blur_kernel_size)
    count, edge = len(maps), 2 * reach + 1
    index, scores, largest = np.empty(count, np.intp), np.empty(count, np.float32), np.empty(count, np.float32)
    blurred = np.empty((count, edge, edge), np.float32)

    def observe(start: int, stop: int) -> None:
        _find_maxima(maps, start, stop, index)
        blur_around(maps, start, stop, index, taps, scores, blurred, largest)

    _share(count, observe)
    return index, scores, blurred, largest, np.ones(count, bool)


def observe_megvii_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_found`."""
    maps, taps = _flatten(heatmaps), _taps(decoder.blur_kernel_size)
    count = len(maps)
    results = np.empty((count, 2), np.float32), np.empty(count, np.float32), np.empty(count, bool)
    _share(count, lambda start, stop: find_blurred(maps, start, stop, taps, 3 * ROUNDING, *results))
    return results


def _flatten(heatmaps: Tensor) -> Float32:
    """Return heatmaps [N, K, H, W], contiguous, as [N K, H, W]."""
    maps: Float32 = heatmaps.numpy().reshape(-1, *heatmaps.shape[2:])
    return maps


def _find_maxima(maps: Float32, start: int, stop: int, index: Indices) -> None:
    """Fill in the row-major position of each heatmap's first maximum; numpy, too, does not hold the lock."""
    maps[start:stop].reshape(stop - start, -1).argmax(axis=1, out=index[start:stop])


@lru_cache
def _taps(kernel_size: int | None) -> Float32:
    """Return the kernel of a decoder's blur, along x and y."""
    assert kernel_size is not None
    taps: Float32 = cv2.getGaussianKernel(kernel_size, 0, cv2.CV_32F)[:, 0]
    return taps


def _share(count: int, work: Callable[[int, int], None]) -> None:
    """Do work on `count` heatmaps, from one up to another, in several threads; it is not to hold Python's lock."""
    starts = iter(range(0, count, _PART))

    def take() -> None:
        for start in starts:
            work(start, min(start + _PART, count))

    helpers = min(torch.get_num_threads(), -(-count // _PART)) - 1
    begun = [_HELPERS.submit(take) for _ in range(helpers)]
    take()
    for helper in begun:
        if not helper.cancel():
            helper.result()
