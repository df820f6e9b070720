"""Loops over heatmaps [M, H, W] for a CPU, compiled: one heatmap after the other, each while it is in the cache.

Maxima are looked for among the bits of the numbers, taken as whole numbers: compilers use vector instructions for
these, but not for numbers that may be NaN. The bits of positive numbers are ordered as the numbers are.
numba keeps compiled loops in __pycache__ and compiles one again when its own module changes: after a change here,
delete those of the modules that import from this one.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from harness.arrays import Float32, Indices

if TYPE_CHECKING:
    from torch import Tensor

INFINITE = np.int32(0x7F800000)
"""The bits of infinity; those of NaN without their sign are higher."""


def flatten(heatmaps: Tensor) -> Float32:
    """Return heatmaps [N, K, H, W], contiguous, on a CPU, as [N K, H, W]."""
    maps: Float32 = heatmaps.numpy().reshape(-1, *heatmaps.shape[2:])
    return maps


@njit(nogil=True, cache=True)
def blur_around_maxima(
    heatmaps: Float32, taps: Float32, index: Indices, scores: Float32, blurred: Float32, largest: Float32
) -> None:
    """Find the maxima of heatmaps, and blur the heatmaps around them.

    Args:
        heatmaps: As above, contiguous; zero beyond their borders.
        taps: The kernel of the blur along x and y, symmetric.
        index: To be filled with the row-major positions of the maxima [M].
        scores: The maxima [M].
        blurred: The blurred values around them [M, 2 reach + 1, 2 reach + 1], also beyond the border.
        largest: The largest absolute value that was blurred [M].
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
    """Return row and column of the first maximum, or first NaN, of heatmap i; put its rows' largest bits in `peaks`."""
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
    row, column = 0, 0  # the largest value is negative, or there are only zeros, of any sign, or a NaN
    for y in range(height):
        for x in range(width):
            if np.isnan(heatmaps[i, y, x]):
                return y, x
            if heatmaps[i, y, x] > heatmaps[i, row, column]:
                row, column = y, x
    return row, column


@njit(nogil=True, cache=True)
def blur_down(rows, y, taps, out):  # type: ignore[no-untyped-def]
    """Blur row y along y into `out`; there are zeros above the first and below the last row."""
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
    """Blur a line into row y of `out`, which is shorter by all taps but one.

    Views begin where a loop's indices do: of sums of indices, which could be negative, compilers make no vectors.
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
    """Return the bits of the highest of numbers, 0 where none is positive."""
    highest = np.int32(0)
    for i in range(len(bits)):
        highest = bits[i] if bits[i] > highest else highest
    return highest


@njit(nogil=True, cache=True)
def largest_bits_of(bits):  # type: ignore[no-untyped-def]
    """Return the bits of the largest absolute value of numbers; NaN's, which are the highest, if one of them is NaN."""
    largest = np.int32(0)
    for i in range(len(bits)):
        magnitude = np.int32(bits[i] & 0x7FFFFFFF)
        largest = magnitude if magnitude > largest else largest
    return largest


@njit(nogil=True, cache=True)
def first_place(bits, value):  # type: ignore[no-untyped-def]
    """Return where a value is first found among `bits`, or how many these are."""
    i = 0
    while i < len(bits) and bits[i] != value:
        i += 1
    return i
