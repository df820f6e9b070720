"""Loops over heatmaps [M, H, W] for a CPU, compiled: one heatmap after the other, each while it is in the cache.

Maxima are looked for among the bits of the numbers, taken as whole numbers: compilers use vector instructions for
these, but not for numbers that may be NaN. The bits of positive numbers are ordered as the numbers are.
"""

import numpy as np
from numba import njit

from harness.arrays import Bool, Float32, Indices

_INFINITE = np.int32(0x7F800000)
"""The bits of infinity; those of NaN without their sign are higher."""


@njit(nogil=True, cache=True)
def step_from_maxima(heatmaps: Float32, points: Float32, scores: Float32) -> None:
    """Find the maxima of heatmaps, and step a quarter pixel from them towards the higher neighbours, as MSRA does.

    Args:
        heatmaps: As above, contiguous.
        points: To be filled with x, y [M, 2], heatmap px, -1 where the maximum is not positive.
        scores: The maxima [M].
    """
    height, width = heatmaps.shape[1:]
    quarter = np.float32(0.25)
    bits, peaks = heatmaps.view(np.int32), np.empty(height, np.int32)
    for i in range(len(heatmaps)):
        y, x = _find_maximum(heatmaps, bits, i, peaks)
        score = heatmaps[i, y, x]
        scores[i], points[i, 0], points[i, 1] = score, x if score > 0 else -1, y if score > 0 else -1
        # The bounds are not alike on all sides; upstream's are kept.
        if score > 0 and 1 < x < width - 1 and y > 0:
            points[i, 0] += quarter * np.sign(heatmaps[i, y, x + 1] - heatmaps[i, y, x - 1])
        if score > 0 and 1 < y < height - 1 and x > 0:
            points[i, 1] += quarter * np.sign(heatmaps[i, y + 1, x] - heatmaps[i, y - 1, x])


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
        y, x = _find_maximum(heatmaps, bits, i, peaks)
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
        largest_bits[i] = _largest(window_bits)
        for y in range(edge):
            _blur_down(window, half + y, taps, line)
            _blur_along(line, taps, blurred[i], y)


@njit(nogil=True, cache=True)
def find_blurred(
    heatmaps: Float32, taps: Float32, rounding: float, points: Float32, scores: Float32, certain: Bool
) -> None:
    """Find the maxima of blurred heatmaps, and step from them as Megvii does.

    A blurred value is at most the blur along y of the largest absolute values of the heatmap's rows. Rows are blurred
    only where that bound reaches the best blurred value so far, beginning with the row of the heatmap's maximum.

    Args:
        heatmaps: As above, contiguous; zero beyond their borders.
        taps: The kernel of the blur along x and y: symmetric, its sum is 1.
        rounding: How far off blurred values may be, as a share of the heatmap's largest absolute value.
        points: To be filled with x, y [M, 2], heatmap px; 0 where no blurred value is positive or one is not finite.
        scores: The maxima of the heatmaps themselves [M].
        certain: Where rounding changes none of this [M].
    """
    height, width = heatmaps.shape[1:]
    half, quarter, middle = len(taps) // 2, np.float32(0.25), np.float32(0.5)
    bounds, highest = np.empty((1, height), np.float32), np.empty(height, np.float32)  # of blurred rows
    peaks, line = np.zeros(height + 2 * half, np.float32), np.zeros(width + 2 * half, np.float32)
    blurred, inside = np.empty((height, width), np.float32), line[half : half + width]
    largest, second = np.empty(1, np.float32), np.empty(1, np.float32)
    # The same memory; a view of each row would take as long as its maximum.
    heatmaps_bits, blurred_bits, second_bits = heatmaps.view(np.int32), blurred.view(np.int32), second.view(np.int32)
    peaks_bits, highest_bits, largest_bits = peaks.view(np.int32), highest.view(np.int32), largest.view(np.int32)
    inner_peaks = peaks_bits[half : half + height]
    for i in range(len(heatmaps)):
        heatmap = heatmaps[i]
        top, x = _find_maximum(heatmaps, heatmaps_bits, i, inner_peaks)
        largest_bits[0] = _highest(peaks_bits)
        margin = np.float32(rounding * largest[0])
        points[i], scores[i], certain[i] = 0, heatmap[top, x], False
        if not (scores[i] > 0 and largest[0] < np.inf):
            continue

        _blur_along(peaks, taps, bounds, 0)
        highest[:] = -1  # not blurred yet
        best, enough = top, np.float32(0)
        for step in range(height):
            y = top + step if top + step < height else top + step - height  # % would be slow
            if bounds[0, y] >= enough:
                _blur_down(heatmap, y, taps, inside)
                _blur_along(line, taps, blurred, y)
                highest_bits[y] = _highest(blurred_bits[y])
                if highest[y] >= highest[best]:
                    best, enough = y, highest[y] - margin
        if not highest[best] > 0:
            continue

        for y in (max(best - 1, 0), min(best + 1, height - 1)):
            if highest[y] < 0:
                _blur_down(heatmap, y, taps, inside)
                _blur_along(line, taps, blurred, y)
                highest_bits[y] = _highest(blurred_bits[y])
        column = _first(blurred_bits[best], highest_bits[best])
        peak, row = blurred[best, column], blurred_bits[best]
        highest_bits[best] = max(_highest(row[:column]), _highest(row[column + 1 :]))
        second_bits[0] = _highest(highest_bits)
        certain[i] = margin < peak and second[0] < peak - margin
        points[i] = column, best
        if 1 < column < width - 1 and 1 < best < height - 1:
            across = blurred[best, column + 1] - blurred[best, column - 1]
            down = blurred[best + 1, column] - blurred[best - 1, column]
            points[i, 0] += quarter * np.sign(across) + middle
            points[i, 1] += quarter * np.sign(down) + middle
            certain[i] &= margin < min(abs(across), abs(down))


@njit(nogil=True, cache=True)
def _find_maximum(heatmaps, bits, i, peaks):  # type: ignore[no-untyped-def]
    """Return the row and column of the first maximum, or first NaN, of heatmap i; fill in its rows' `_largest`."""
    height, width = heatmaps.shape[1:]
    row, largest = 0, np.int32(0)
    for y in range(height):
        peak = _largest(bits[i, y])
        peaks[y] = peak
        row = y if peak > largest else row
        largest = peak if peak > largest else largest
    if 0 < largest <= _INFINITE:
        column = _first(bits[i, row], largest)
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
def _blur_down(rows, y, taps, out):  # type: ignore[no-untyped-def]
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
def _blur_along(line, taps, out, y):  # type: ignore[no-untyped-def]
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
def _highest(bits):  # type: ignore[no-untyped-def]
    """Return the bits of the highest of numbers, 0 where none is positive."""
    highest = np.int32(0)
    for i in range(len(bits)):
        highest = bits[i] if bits[i] > highest else highest
    return highest


@njit(nogil=True, cache=True)
def _largest(bits):  # type: ignore[no-untyped-def]
    """Return the bits of the largest absolute value of numbers; NaN's, which are the highest, if one of them is NaN."""
    largest = np.int32(0)
    for i in range(len(bits)):
        magnitude = np.int32(bits[i] & 0x7FFFFFFF)
        largest = magnitude if magnitude > largest else largest
    return largest


@njit(nogil=True, cache=True)
def _first(bits, value):  # type: ignore[no-untyped-def]
    """Return where a value is first found among `bits`, or how many these are."""
    i = 0
    while i < len(bits) and bits[i] != value:
        i += 1
    return i
