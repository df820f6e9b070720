"""Megvii heatmaps (CPN, MSPN, RSN): maximum of the blurred heatmap, a quarter pixel on, at the pixel's middle.

On a device only what surrounds the heatmap's own maximum is blurred. A blurred value further away is a weighted mean,
in which values near the maximum have a small weight and the others are known to be low; if the best value around the
maximum exceeds that bound, it is the blurred heatmap's maximum. Otherwise, and in near ties, which rounding decides, a
keypoint is not certain. For a CPU see `find_blurred` in kernels.py, which finds the maximum wherever it is.
Upstream scales the blurred heatmap so that its maximum is the heatmap's, which is therefore the score.
Source and reference: exact/megvii.py.
"""

from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from harness.arrays import Bool, Float32, Indices
from harness.codecs.exact.megvii import PEAK
from harness.codecs.exact.msra import strides
from harness.codecs.heatmaps import ROUNDING, Located, blur_around, find_maxima, values_at
from harness.protocol import Decoder, Size

NEAR = 3
"""How many px from a maximum values are near it."""
PATCH = 4
"""How many px from a maximum blurred values are looked at."""


def observe_megvii(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_megvii`, on the heatmaps' device."""
    assert decoder.blur_kernel_size is not None
    index = find_maxima(heatmaps)
    surroundings = blur_around(heatmaps, index, decoder.blur_kernel_size, PATCH)
    return index, values_at(heatmaps, index), *surroundings, _highest_elsewhere(heatmaps, index)


def _highest_elsewhere(heatmaps: Tensor, index: Tensor) -> Tensor:
    """Return the highest value [M] of each heatmap that is not near position `index`, -inf if all are.

    Takes the maxima of bands of values, and reads those few bands again, without what is near, that hold some of it.
    """
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
    """Into how many equal bands to cut `size` values: about 32."""
    return min((count for count in range(1, size + 1) if size % count == 0), key=lambda count: abs(count - 32))


@lru_cache
def _near(height: int, width: int, device: torch.device) -> Tensor:
    """Return the positions near each one of a heatmap [H W, (2 NEAR + 1)²], ascending; at its border some repeat."""
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
    """Locate M keypoints from what `observe_megvii` gives.

    Args:
        index: Position of the heatmap's maximum [M].
        scores: Its value [M].
        patches: Blurred values around it [M, rows, columns].
        largest: Largest absolute value that they come from [M].
        whole: Where they are right [M].
        elsewhere: Highest value that is not near the maximum [M].
        size: Width and height of the heatmaps.
        decoder: How upstream decodes them.
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

    # Neighbours beyond the patch, which mean nothing, are asked for only where the maximum is not enclosed in it.
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
    """Locate M keypoints from x, y [M, 2], heatmap px, the heatmaps' maxima [M], and where these are certain [M]."""
    return Located(points * strides(decoder, input_size), scores / PEAK + np.float32(0.5), certain)


@lru_cache
def _weight_beyond(kernel_size: int) -> float:
    """Return the largest weight that values near a heatmap's maximum have in blurred values outside the patch."""
    kernel = cv2.getGaussianKernel(kernel_size, 0, cv2.CV_32F)[:, 0]
    return float(kernel[: max(0, kernel_size // 2 - (PATCH - NEAR))].sum())
