"""Megvii heatmaps (CPN, MSPN, RSN): maximum of the blurred heatmap, shifted by a quarter pixel, at the pixel's centre.

On a device, only the surroundings of the heatmap's own maximum are blurred. A blurred value further away is a weighted
mean in which values near the maximum have a small weight, and the others have a known upper bound. If the best value
around the maximum exceeds that bound, it is the blurred heatmap's maximum. Otherwise, and in near ties, which rounding
decides, a keypoint is not certain. On a CPU, `find_blurred` finds the maximum in the whole heatmap.
MMPose scales the blurred heatmap so that its maximum equals the heatmap's, which is therefore the score.
Source: mmpose/codecs/megvii_heatmap.py (Li et al., MSPN, 2019).
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from harness.arrays import Bool, Float32, Indices
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.loops import blur_along, blur_down, first_place, flatten, highest_bits_of, place_of_maximum
from harness.codecs.maxima import Neighbourhood, find_maxima, maxima, strides, values_at
from harness.codecs.modulation import ROUNDING, blur_around, modulate, taps
from harness.protocol import Decoder, Size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PEAK = np.float32(255)
"""Maximum of a trained heatmap."""
NEAR = 3
"""Distance in px within which values are near a maximum."""
PATCH = 4
"""Distance in px from a maximum within which blurred values are computed."""


def decode_megvii(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    assert decoder.blur_kernel_size is not None
    blurred = modulate(heatmaps, decoder.blur_kernel_size)
    points, scores = maxima(blurred)
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0], points[..., 1]
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    at = Neighbourhood(blurred[inside], points[inside])
    step = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    points[inside] += np.sign(step) * np.float32(0.25) + np.float32(0.5)
    return points * strides(decoder, input_size), scores / PEAK + np.float32(0.5)


def observe_megvii(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_megvii`, on the heatmaps' device."""
    assert decoder.blur_kernel_size is not None
    index = find_maxima(heatmaps)
    surroundings = blur_around(heatmaps, index, decoder.blur_kernel_size, PATCH)
    return index, values_at(heatmaps, index), *surroundings, _highest_elsewhere(heatmaps, index)


def _highest_elsewhere(heatmaps: Tensor, index: Tensor) -> Tensor:
    """Return the highest value [M] of each heatmap that is not near position `index`, -inf if all values are near.

    Computes the maxima of bands of values, then reads the few bands with near values again without these values.
    """
    import torch

    height, width = heatmaps.shape[2:]
    count = _number_of_bands(height * width)
    length = height * width // count
    peaks = heatmaps.view(-1, length).amax(-1).view(-1, count)
    near = _near(height, width, heatmaps.device).index_select(0, index)
    touched = min((2 * NEAR * (width + 1) - 1) // length + 2, count)
    band = torch.div(near[:, 0], length, rounding_mode="floor").clamp(max=count - touched)
    others = peaks.scatter(1, band[:, None] + torch.arange(touched, device=band.device), -torch.inf)

    # The rows of this view overlap in memory; only the chosen ones are copied.
    view = heatmaps.as_strided((peaks.numel() - touched + 1, touched * length), (length, 1))
    rest = view.index_select(0, band + torch.arange(0, peaks.numel(), count, device=band.device))
    nothing = peaks.new_full((1, 1), -torch.inf).expand(near.shape)  # scattered faster than a number
    rest.scatter_(1, near - (band * length)[:, None], nothing)
    return torch.maximum(rest.amax(-1), others.amax(-1))


@lru_cache
def _number_of_bands(size: int) -> int:
    """Return the number of equal bands into which to divide `size` values: about 32."""
    return min((count for count in range(1, size + 1) if size % count == 0), key=lambda count: abs(count - 32))


@lru_cache
def _near(height: int, width: int, device: torch.device) -> Tensor:
    """Return the positions near each position of a heatmap [H W, (2 NEAR + 1)²], ascending; border ones repeat."""
    import torch

    steps = torch.arange(-NEAR, NEAR + 1)
    rows = (torch.arange(height)[:, None] + steps).clamp(0, height - 1)[:, None, :, None]
    columns = (torch.arange(width)[:, None] + steps).clamp(0, width - 1)[None, :, None, :]
    return (rows * width + columns).view(height * width, -1).to(device)


def locate_megvii(
    index: Indices,
    scores: Float32,
    patches: Float32,
    largest: Float32,
    whole: Bool,
    elsewhere: Float32,
    size: Size,
    decoder: Decoder,
    input_size: Size,
) -> Located:
    """Locate M keypoints from the result of `observe_megvii`.

    Args:
        index: Position of the heatmap's maximum [M].
        scores: Value of the heatmap's maximum [M].
        patches: Blurred values around it [M, rows, columns].
        largest: Largest absolute value that enters these [M].
        whole: Where the blurred values are correct [M].
        elsewhere: Highest value that is not near the maximum [M].
        size: Width and height of the heatmaps.
        decoder: Upstream's settings.
        input_size: Width and height of the network's input.
    """
    assert decoder.blur_kernel_size is not None
    width, height = size
    edge = 2 * PATCH + 1
    flat = patches.reshape(-1, edge**2)
    position = flat.argmax(axis=1)
    row, column = position // edge - PATCH, position % edge - PATCH
    x, y = index % width + column, index // width + row
    exists = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    enclosed = np.maximum(np.abs(row), np.abs(column)) < PATCH

    # Neighbours outside the patch, with undefined values, are read only if the patch does not enclose the maximum.
    values = patches.ravel()
    centre = position + np.arange(0, flat.size, edge**2)
    best, right, left, below, above = (values.take(centre + offset, mode="clip") for offset in (0, 1, -1, edge, -edge))
    margins = 3 * ROUNDING * largest
    as_high = np.flatnonzero(flat >= (best - margins)[:, None]) // edge**2
    weight = _weight_beyond(decoder.blur_kernel_size)
    furthest = weight * scores + (1 - weight) * np.maximum(elsewhere, 0)
    alone = (furthest < best - margins) & (np.bincount(as_high, minlength=len(flat)) == 1)
    alone &= whole & exists & (enclosed | ~inside)
    across, down = right - left, below - above
    certain = alone & (best > margins) & (~inside | (np.minimum(np.abs(across), np.abs(down)) > margins))
    points = np.stack([x, y], axis=-1).astype(np.float32)
    steps = np.sign(np.stack([across, down], axis=-1)) * np.float32(0.25) + np.float32(0.5)
    return locate_found(points + inside[:, None] * steps, scores, certain, size, decoder, input_size)


def locate_found(
    points: Float32, scores: Float32, certain: Bool, size: Size, decoder: Decoder, input_size: Size
) -> Located:
    """Locate M keypoints from x, y [M, 2], heatmap px, the heatmaps' maxima [M], and whether these are certain [M]."""
    return Located(points * strides(decoder, input_size), scores / PEAK + np.float32(0.5), certain)


@lru_cache
def _weight_beyond(kernel_size: int) -> float:
    """Return the largest weight of values near a heatmap's maximum in blurred values outside the patch."""
    return float(taps(kernel_size)[: max(0, kernel_size // 2 - (PATCH - NEAR))].sum())


def observe_megvii_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_found`."""
    maps = flatten(heatmaps)
    count = len(maps)
    results = np.empty((count, 2), np.float32), np.empty(count, np.float32), np.empty(count, bool)
    find_blurred(maps, taps(decoder.blur_kernel_size), 3 * ROUNDING, *results)
    return results


@njit(nogil=True, cache=True)
def find_blurred(
    heatmaps: Float32, taps: Float32, rounding: float, points: Float32, scores: Float32, certain: Bool
) -> None:
    """Find the maxima of blurred heatmaps, and shift them as Megvii does.

    A blurred value is at most the blur along y of the largest absolute values of the heatmap's rows. A row is blurred
    only if that bound reaches the best blurred value so far, beginning with the row of the heatmap's maximum.

    Args:
        heatmaps: As above, contiguous; zero beyond their borders.
        taps: The kernel of the blur along x and y: symmetric, its sum is 1.
        rounding: Largest error of blurred values, as a share of the heatmap's largest absolute value.
        points: Output: x, y [M, 2], heatmap px; 0 if no blurred value is positive or one is not finite.
        scores: Output: the maxima of the heatmaps themselves [M].
        certain: Output: whether rounding cannot change the result [M].
    """
    height, width = heatmaps.shape[1:]
    half, quarter, middle = len(taps) // 2, np.float32(0.25), np.float32(0.5)
    bounds, highest = np.empty((1, height), np.float32), np.empty(height, np.float32)  # of blurred rows
    peaks, line = np.zeros(height + 2 * half, np.float32), np.zeros(width + 2 * half, np.float32)
    blurred, inside = np.empty((height, width), np.float32), line[half : half + width]
    largest, second = np.empty(1, np.float32), np.empty(1, np.float32)
    # Views of the same memory, made once, because a view of a row takes as long as its maximum.
    heatmaps_bits, blurred_bits, second_bits = heatmaps.view(np.int32), blurred.view(np.int32), second.view(np.int32)
    peaks_bits, highest_bits, largest_bits = peaks.view(np.int32), highest.view(np.int32), largest.view(np.int32)
    inner_peaks = peaks_bits[half : half + height]
    for i in range(len(heatmaps)):
        heatmap = heatmaps[i]
        top, x = place_of_maximum(heatmaps, heatmaps_bits, i, inner_peaks)
        largest_bits[0] = highest_bits_of(peaks_bits)
        margin = np.float32(rounding * largest[0])
        points[i], scores[i], certain[i] = 0, heatmap[top, x], False
        if not (scores[i] > 0 and largest[0] < np.inf):
            continue

        blur_along(peaks, taps, bounds, 0)
        highest[:] = -1  # not blurred yet
        best, enough = top, np.float32(0)
        for step in range(height):
            y = top + step if top + step < height else top + step - height  # % would be slow
            if bounds[0, y] >= enough:
                blur_down(heatmap, y, taps, inside)
                blur_along(line, taps, blurred, y)
                highest_bits[y] = highest_bits_of(blurred_bits[y])
                if highest[y] >= highest[best]:
                    best, enough = y, highest[y] - margin
        if not highest[best] > 0:
            continue

        for y in (max(best - 1, 0), min(best + 1, height - 1)):
            if highest[y] < 0:
                blur_down(heatmap, y, taps, inside)
                blur_along(line, taps, blurred, y)
                highest_bits[y] = highest_bits_of(blurred_bits[y])
        column = first_place(blurred_bits[best], highest_bits[best])
        peak, row = blurred[best, column], blurred_bits[best]
        highest_bits[best] = max(highest_bits_of(row[:column]), highest_bits_of(row[column + 1 :]))
        second_bits[0] = highest_bits_of(highest_bits)
        certain[i] = margin < peak and second[0] < peak - margin
        points[i] = column, best
        if 1 < column < width - 1 and 1 < best < height - 1:
            across = blurred[best, column + 1] - blurred[best, column - 1]
            down = blurred[best + 1, column] - blurred[best - 1, column]
            points[i, 0] += quarter * np.sign(across) + middle
            points[i, 1] += quarter * np.sign(down) + middle
            certain[i] &= margin < min(abs(across), abs(down))


class Megvii(Codec):
    """MMPose's MegviiHeatmap."""

    name = "megvii"
    peak = 255.0
    kernels = (5,)
    settings = {"type": "MegviiHeatmap", "kernel_size": 5}
    steps = True
    on_cpu = FastPath(observe_megvii_on_cpu, locate_found)
    on_device = FastPath(observe_megvii, locate_megvii)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        if settings["type"] != "MegviiHeatmap":
            return None
        return self.decoder(tuple(settings["heatmap_size"]), settings["kernel_size"])

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
        """As `Codec.decode`."""
        return decode_megvii(heatmaps, decoder, input_size)

    def searched(self, heatmaps: Float32, decoder: Decoder) -> Float32:
        """Return the blurred heatmaps."""
        assert decoder.blur_kernel_size is not None
        return modulate(heatmaps, decoder.blur_kernel_size)


PLUGIN = Megvii()
