"""Warps images by maps that scale and move but do not turn, as those of all crops do: cv2.warpAffine to the last bit.

OpenCV looks four pixels and four weights up for every pixel of the result. Upright, it can be done along y and then
along x, the former a vector of pixels at a time. Its fixed-point arithmetic is kept: positions in 1/32 px, from
sums of numbers in 1/1024 px, and weights whose products are whole numbers of 1/1024.
Source: OpenCV 4.11, modules/imgproc/src/imgwarp.cpp (`warpAffine`, `WarpAffineInvoker`, `remapBilinear`).
"""

import numpy as np
from numba import njit

from harness.arrays import Float64, Image


@njit(nogil=True, cache=True)
def warp_upright(image: Image, matrix: Float64, out: Image) -> bool:
    """Fill `out` [h, w, 3] from `image` [H, W, 3], both contiguous, by the map [2, 3] from image px to out px.

    Outside the image it is black. Returns False, and leaves `out` alone, where the map turns.
    """
    height, width = out.shape[:2]
    rows, columns = image.shape[:2]
    determinant = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    inverse = 1.0 / determinant if determinant != 0 else 0.0
    xx, xy = matrix[1, 1] * inverse, matrix[0, 1] * -inverse
    yx, yy = matrix[1, 0] * -inverse, matrix[0, 0] * inverse
    x0 = -xx * matrix[0, 2] - xy * matrix[1, 2]
    y0 = -yx * matrix[0, 2] - yy * matrix[1, 2]
    start = np.rint(x0 * 1024.0)
    for x in range(width):
        if np.rint(yx * x * 1024.0) != 0:
            return False
    for y in range(height):
        if np.rint((xy * y + x0) * 1024.0) != start:
            return False

    # For each column the two bytes to begin at and their weights; pixels outside the image weigh nothing.
    left, right = np.empty(width, np.uint32), np.empty(width, np.uint32)
    left_weight, right_weight = np.empty(width, np.float32), np.empty(width, np.float32)
    for x in range(width):
        position = (int(start) + 16 + int(np.rint(xx * x * 1024.0))) >> 5
        column, part = position >> 5, position & 31
        left_weight[x] = 32 - part if 0 <= column < columns else 0
        right_weight[x] = part if 0 <= column + 1 < columns else 0
        left[x] = 3 * min(max(column, 0), columns - 1)
        right[x] = 3 * min(max(column + 1, 0), columns - 1)

    # Each row of the result is interpolated along y first, over the columns that it needs, and that then along x. These
    # are whole numbers below 2**24, which single precision holds exactly, and of which eight go into a vector.
    pixels, result = image.reshape(rows, 3 * columns), out.reshape(height, 3 * width)
    first, last = min(left.min(), right.min()), max(left.max(), right.max()) + 3
    mixed = np.empty(3 * columns, np.float32)
    for y in range(height):
        position = (int(np.rint((yy * y + y0) * 1024.0)) + 16) >> 5
        row, part = position >> 5, position & 31
        upper_weight = np.float32(32 - part if 0 <= row < rows else 0)
        lower_weight = np.float32(part if 0 <= row + 1 < rows else 0)
        upper, lower = pixels[min(max(row, 0), rows - 1)], pixels[min(max(row + 1, 0), rows - 1)]
        for i in range(first, last):
            mixed[i] = np.float32(upper[i]) * upper_weight + np.float32(lower[i]) * lower_weight
        _along_x(mixed, left, right, left_weight, right_weight, result[y])
    return True


@njit(nogil=True, cache=True)
def _along_x(mixed, left, right, left_weight, right_weight, out):  # type: ignore[no-untyped-def]
    for x in range(len(left)):
        p, q, wp, wq = left[x], right[x], left_weight[x], right_weight[x]
        for channel in range(3):
            value = mixed[p + channel] * wp + mixed[q + channel] * wq + np.float32(512)
            out[3 * x + channel] = np.int32(value * np.float32(1 / 1024))
