"""What several codecs share: the maximum of a heatmap, and its modulation by a Gaussian.

Source: mmpose/codecs/utils/post_processing.py.
"""

import cv2
import numpy as np

from harness.arrays import Float32


def maxima(heatmaps: Float32) -> tuple[Float32, Float32]:
    """Locate the maximum of each heatmap [N, K, H, W].

    Returns:
        Its x, y [N, K, 2], heatmap px, -1 where the maximum is not positive; and its value [N, K].
    """
    n, k, h, w = heatmaps.shape
    flat = heatmaps.reshape(n, k, h * w)
    index = flat.argmax(axis=-1)
    values = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    points = np.stack([index % w, index // w], axis=-1).astype(np.float32)
    points[values <= 0] = -1
    return points, values


def modulate(heatmaps: Float32, kernel_size: int) -> Float32:
    """Blur heatmaps [N, K, H, W] with a Gaussian of OpenCV's sigma for the kernel, keeping each one's maximum.

    A copy; beyond the border is zero. Zhang et al., DARK, CVPR 2020, eq. 10 and 11.
    """
    border = (kernel_size - 1) // 2
    padded = np.pad(heatmaps, [(0, 0), (0, 0), (border, border), (border, border)])
    blurred = np.empty_like(heatmaps)
    for person, source in zip(blurred, padded, strict=True):
        for keypoint, heatmap in zip(person, source, strict=True):
            keypoint[:] = cv2.GaussianBlur(heatmap, (kernel_size, kernel_size), 0)[border:-border, border:-border]
    blurred *= heatmaps.max(axis=(2, 3), keepdims=True) / blurred.max(axis=(2, 3), keepdims=True)
    return blurred


class Neighbourhood:
    """Reads values at offsets from given points of heatmaps.

    Args:
        heatmaps: [M, H, W]
        points: [M, 2] x, y; whole numbers, far enough inside for the offsets asked for.
    """

    def __init__(self, heatmaps: Float32, points: Float32) -> None:
        self._heatmaps = heatmaps
        self._index = np.arange(len(heatmaps))
        self._x, self._y = points.astype(np.intp).T

    def __call__(self, dx: int, dy: int) -> Float32:
        """Return the values [M] at `dx`, `dy` from the points."""
        values: Float32 = self._heatmaps[self._index, self._y + dy, self._x + dx]
        return values
