"""Other ways to cut a crop out of an image. Other code uses them, and `harness explain` tries them."""

from collections.abc import Mapping

import cv2
import numpy as np
from numba import njit
from PIL import Image as PillowImage

from harness.arrays import Floating, Image
from harness.predict.crops import CutOut, warp


def nearest(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
    """Take the nearest pixel of the image."""
    cv2.warpAffine(image, matrix.astype(np.float64), size, dst=out, flags=cv2.INTER_NEAREST)


def cubic(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
    """Interpolate cubically between 4 x 4 pixels."""
    cv2.warpAffine(image, matrix.astype(np.float64), size, dst=out, flags=cv2.INTER_CUBIC)


def pillow(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
    """Resize the region of the crop like Pillow: bilinear, with averages over pixels if the crop is smaller.

    The region is cut at whole pixels and is black outside the image.
    """
    width, height = size
    scale = np.array([matrix[0, 0], matrix[1, 1]], np.float64)
    start = np.rint(-matrix[:, 2].astype(np.float64) / scale).astype(int)
    extent = np.maximum(np.rint([width, height] / scale).astype(int), 1)
    left, top = start
    right, bottom = start + extent
    region = PillowImage.fromarray(image).crop((left, top, right, bottom))
    out[:] = np.asarray(region.resize((width, height), PillowImage.Resampling.BILINEAR))


def exact_positions(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
    """Interpolate at single-precision positions, like cv2.warpAffine of OpenCV 5, instead of in steps of 1/32 px."""
    inverse = cv2.invertAffineTransform(matrix.astype(np.float64)).astype(np.float32)
    _interpolate(image, inverse, out)


@njit(nogil=True, cache=True)
def _interpolate(image, inverse, out):  # type: ignore[no-untyped-def]
    height, width = out.shape[:2]
    rows, columns = image.shape[:2]
    one = np.float32(1)
    for y in range(height):
        for x in range(width):
            across = np.float32(x) * inverse[0, 0] + (np.float32(y) * inverse[0, 1] + inverse[0, 2])
            down = np.float32(x) * inverse[1, 0] + (np.float32(y) * inverse[1, 1] + inverse[1, 2])
            column, row = int(np.floor(across)), int(np.floor(down))
            right, lower = across - np.float32(column), down - np.float32(row)
            for channel in range(3):
                total = np.float32(0)
                for j in range(2):
                    for i in range(2):
                        if 0 <= row + j < rows and 0 <= column + i < columns:
                            weight = (lower if j else one - lower) * (right if i else one - right)
                            total += weight * np.float32(image[row + j, column + i, channel])
                out[y, x, channel] = np.uint8(np.rint(total))


def _shifted(pixels: float) -> CutOut:
    """Return a function that cuts crops with their content moved right and down by a number of crop pixels."""

    def cut(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
        moved = matrix.astype(np.float64)
        moved[:, 2] += pixels
        warp(image, moved, size, out)

    return cut


def pixel_areas(image: Image, matrix: Floating, size: tuple[int, int], out: Image) -> None:
    """Map pixels as squares with corners at whole coordinates, like the resizing of an image, instead of as points."""
    moved = matrix.astype(np.float64)
    moved[:, 2] += 0.5 * (moved[0, 0] - 1), 0.5 * (moved[1, 1] - 1)
    warp(image, moved, size, out)


OTHER_CUTS: Mapping[tuple[str, str], CutOut] = {
    ("resampling", "nearest"): nearest,
    ("resampling", "cubic"): cubic,
    ("resampling", "Pillow's"): pillow,
    ("resampling", "bilinear of OpenCV 5"): exact_positions,
    ("crops", "half a pixel to the right and down"): _shifted(0.5),
    ("crops", "half a pixel to the left and up"): _shifted(-0.5),
    ("crops", "pixels as areas, not points"): pixel_areas,
}
"""Functions by name: the setting and its tried value."""
