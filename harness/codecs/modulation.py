"""The modulation of heatmaps by a Gaussian (Zhang et al., DARK, CVPR 2020, eq. 10 and 11): exact, or in small windows.

A blur of whole heatmaps costs more than the rest of decoding, so the fast paths blur only around the maxima.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from harness.arrays import Float32

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ROUNDING = 1e-6
"""Largest difference between blurs in single precision, relative to the largest absolute value; 3e-7 is usual."""


def modulate(heatmaps: Float32, kernel_size: int) -> Float32:
    """Blur heatmaps [N, K, H, W] with a Gaussian of OpenCV's sigma for the kernel size, and keep each maximum.

    Returns a copy; values outside are zero. Source: mmpose/codecs/utils/post_processing.py `gaussian_blur`.
    """
    border = (kernel_size - 1) // 2
    padded = np.pad(heatmaps, [(0, 0), (0, 0), (border, border), (border, border)])
    blurred = np.empty_like(heatmaps)
    for person, source in zip(blurred, padded, strict=True):
        for keypoint, heatmap in zip(person, source, strict=True):
            keypoint[:] = cv2.GaussianBlur(heatmap, (kernel_size, kernel_size), 0)[border:-border, border:-border]
    blurred *= heatmaps.max(axis=(2, 3), keepdims=True) / blurred.max(axis=(2, 3), keepdims=True)
    return blurred


@lru_cache
def taps(kernel_size: int | None) -> Float32:
    """Return the kernel of the blur, along x and y, single precision."""
    assert kernel_size is not None
    found: Float32 = cv2.getGaussianKernel(kernel_size, 0, cv2.CV_32F)[:, 0]
    return found


class Surroundings(NamedTuple):
    """Blurred heatmaps around positions, one position per heatmap."""

    blurred: Tensor
    """[M, 2 reach + 1, 2 reach + 1] as cv2.GaussianBlur gives them, with zeros outside; also at positions outside."""
    largest: Tensor
    """Largest absolute value that was blurred [M]."""
    whole: Tensor
    """False if not all values were available and the result is undefined [M]."""


def blur_around(heatmaps: Tensor, index: Tensor, kernel_size: int, reach: int) -> Surroundings:
    """Blur heatmaps [N, K, H, W], contiguous, up to `reach` px from row-major positions [M]."""
    import torch

    height, width = heatmaps.shape[2:]
    margin = reach + kernel_size // 2
    size = 2 * margin + 1
    before = margin * (width + 1)  # number of values from a window's first value to its centre
    flat = heatmaps.view(-1)
    centre = index + torch.arange(0, len(flat), height * width, device=flat.device)
    if len(flat) <= 2 * before:
        flat, centre = torch.nn.functional.pad(flat, (before, before)), centre + before

    # Row i of this view is the row of a window that begins at value i. Rows overlap in memory; only the chosen ones are
    # copied. At a border, they contain values of other rows and heatmaps; the batch's ends cut off some windows.
    view = flat.as_strided((len(flat) - size + 1, size), (1, 1))
    first = centre - before
    there = first.clamp(0, len(flat) - 2 * before - 1)
    starts = there[:, None] + torch.arange(0, size * width, width, device=flat.device)
    windows = view.index_select(0, starts.view(-1)).view(-1, size, size)
    y = torch.div(index, width, rounding_mode="floor")
    rows = _within(height, margin, flat.device).index_select(0, y)
    columns = _within(width, margin, flat.device).index_select(0, index - y * width)
    windows *= rows[:, :, None] * columns[:, None, :]
    windows = windows.view(-1, size * size)
    blur = _blur(kernel_size, reach, flat.device)
    blurred = (windows.to(blur.dtype) @ blur).view(-1, 2 * reach + 1, 2 * reach + 1)
    return Surroundings(blurred, windows.abs().amax(-1), there == first)


@lru_cache
def _within(length: int, margin: int, device: torch.device) -> Tensor:
    """Return whether positions up to `margin` from each of `length` exist: 1 or 0 [length, 2 margin + 1]."""
    import torch

    positions = torch.arange(length)[:, None] + torch.arange(-margin, margin + 1)
    return ((positions >= 0) & (positions < length)).float().to(device)


@lru_cache
def _blur(kernel_size: int, reach: int, device: torch.device) -> Tensor:
    """Return the matrix that blurs flat windows into their flat middles."""
    import torch

    kernel = cv2.getGaussianKernel(kernel_size, 0)[:, 0]
    along = np.stack([np.pad(kernel, (at, 2 * reach - at)) for at in range(2 * reach + 1)])
    # A GPU may round factors of products in single precision to TF32's 10 bits, but never those in double precision.
    dtype = torch.float64 if device.type == "cuda" else torch.float32
    return torch.from_numpy(np.kron(along, along).T).to(device, dtype)
