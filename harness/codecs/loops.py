"""Compiled loops over heatmaps [M, H, W] for a CPU; each heatmap is processed completely while it is in the cache.

The loops search maxima in the bit patterns of the numbers, read as integers: compilers use vector instructions for
integers, but not for floats that may be NaN. Positive floats and their bit patterns have the same order.
numba caches compiled loops in __pycache__ and recompiles a loop only when its own module changes. After a change here,
delete the cached loops of the modules that import this one.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from harness.arrays import Float32, Indices

if TYPE_CHECKING:
    from torch import Tensor

INFINITE = np.int32(0x7F800000)
"""The bits of infinity; the bits of NaN without the sign are higher."""


def flatten(heatmaps: Tensor) -> Float32:
    """Return contiguous heatmaps [N, K, H, W] on a CPU as an array [N K, H, W]."""
    maps: Float32 = heatmaps.numpy().reshape(-1, *heatmaps.shape[2:])
    return maps


@njit(nogil=True, cache=True)
def blur_around_maxima(
    heatmaps: Float32, taps: Float32, index: Indices, scores: Float32, blurred: Float32, largest: Float32
) -> None:
    """Find the maxima of heatmaps, and blur the heatmaps around them.

    Args:
        heatmaps: [M, H, W], contiguous; values beyond the borders count as zero.
        taps: The kernel of the blur along x and y, symmetric.
        index: Output: the row-major positions of the maxima [M].
        scores: Output: the maxima [M].
        blurred: Output: the blurred values around the maxima [M, 2 reach + 1, 2 reach + 1], also beyond the border.
        largest: Output: the largest absolute value that was blurred [M].
    """
    height, width = heatmaps.shape[1:]
    edge, half = blurred.shape[1], len(taps) // 2
    size = edge + 2 * half
    window, line = np.zeros((size, size), np.float32), np.empty(size, np.float32)
    window_bits, largest_bits = window.reshape(size * size).view(np.int32), largest.view(np.int32)
    bits, peaks = heatmaps.view(np.int32), np.empty(height, np.int32)
    for i in range(len(heatmaps)):
        y, x = place_of_maximum(heatmaps, bits, i, peaks)
        index[i], scores[i] = y * width + x, heatmaps[i, y, x]
        top, left = y - size // 2, x - size // 2
        if min(top, left) < 0 or top + size > height or left + size > width:
            window[:] = 0
        first = max(-left, 0)
        there = min(size, width - left) - first
        for y in range(max(-top, 0), min(size, height - top)):
            to, origin = window[y, first:], heatmaps[i, top + y, left + first :]
            for x in range(there):
                to[x] = origin[x]
        largest_bits[i] = largest_bits_of(window_bits)
        for y in range(edge):
            blur_down(window, half + y, taps, line)
            blur_along(line, taps, blurred[i], y)


@njit(nogil=True, cache=True)
def place_of_maximum(heatmaps, bits, i, peaks):  # type: ignore[no-untyped-def]
    """Return row and column of the first NaN of heatmap i, or else of its first maximum.

    Writes the bits of the largest absolute value of each row to `peaks`.
    """
    height, width = heatmaps.shape[1:]
    row, largest = 0, np.int32(0)
    for y in range(height):
        peak = largest_bits_of(bits[i, y])
        peaks[y] = peak
        row = y if peak > largest else row
        largest = peak if peak > largest else largest
    if 0 < largest <= INFINITE:
        column = first_place(bits[i, row], largest)
        if column < width:
            return row, column
    row, column = 0, 0  # the largest absolute value is of a negative number, or all values are ±0, or one is NaN
    for y in range(height):
        for x in range(width):
            if np.isnan(heatmaps[i, y, x]):
                return y, x
            if heatmaps[i, y, x] > heatmaps[i, row, column]:
                row, column = y, x
    return row, column


@njit(nogil=True, cache=True)
def blur_down(rows, y, taps, out):  # type: ignore[no-untyped-def]
    """Blur row y along y into `out`; rows above the first and below the last count as zeros."""
    half, width = len(taps) // 2, len(out)
    for x in range(width):
        out[x] = taps[half] * rows[y, x]
    for j in range(1, half + 1):
        weight = taps[half + j]
        if j <= y < len(rows) - j:
            for x in range(width):
                out[x] += weight * (rows[y - j, x] + rows[y + j, x])
        elif y >= j or y + j < len(rows):
            beside = y - j if y >= j else y + j
            for x in range(width):
                out[x] += weight * rows[beside, x]


@njit(nogil=True, cache=True)
def blur_along(line, taps, out, y):  # type: ignore[no-untyped-def]
    """Blur a line into row y of `out`, which is shorter than the line by the number of taps less one.

    Views start at the loop's first index: compilers do not vectorise sums of indices, which could be negative.
    """
    half, width = len(taps) // 2, out.shape[1]
    middle = line[half:]
    for x in range(width):
        out[y, x] = taps[half] * middle[x]
    for j in range(1, half + 1):
        weight, left, right = taps[half + j], line[half - j :], line[half + j :]
        for x in range(width):
            out[y, x] += weight * (left[x] + right[x])


@njit(nogil=True, cache=True)
def highest_bits_of(bits):  # type: ignore[no-untyped-def]
    """Return the highest of the bit patterns `bits`; 0 if no number is positive."""
    highest = np.int32(0)
    for i in range(len(bits)):
        highest = bits[i] if bits[i] > highest else highest
    return highest


@njit(nogil=True, cache=True)
def largest_bits_of(bits):  # type: ignore[no-untyped-def]
    """Return the bits of the largest absolute value of numbers; the bits of NaN, which are highest, if one is NaN."""
    largest = np.int32(0)
    for i in range(len(bits)):
        magnitude = np.int32(bits[i] & 0x7FFFFFFF)
        largest = magnitude if magnitude > largest else largest
    return largest


@njit(nogil=True, cache=True)
def first_place(bits, value):  # type: ignore[no-untyped-def]
    """Return the index of the first element of `bits` that equals `value`, or the length of `bits` if none does."""
    i = 0
    while i < len(bits) and bits[i] != value:
        i += 1
    return i
