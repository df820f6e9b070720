"""Random outputs like those of a trained network, for measurements of speed; the same on every call."""

import numpy as np

from harness.arrays import Float32, Float64, Floating
from harness.protocol import Size


def draw_heatmaps(people: int, maps: int, height: float, size: Size) -> Float32:
    """Return random heatmaps [people, maps, h, w]; `size` is their width and height.

    Each has a Gaussian with a peak of 0.05 to 1 times `height` on noise. A third of them have a second, lower Gaussian.
    """
    rng = np.random.default_rng(0)
    width, tall = size
    shape = (people, maps, 1)
    across, down = np.arange(width, dtype=np.float32), np.arange(tall, dtype=np.float32)

    def gaussians(peaks: Float64) -> Floating:
        x, y = rng.uniform(0, width - 1, shape), rng.uniform(0, tall - 1, shape)
        column = peaks * np.exp(-((down - y) ** 2) / 8)
        return np.asarray(column[..., :, None] * np.exp(-((across - x) ** 2) / 8)[..., None, :])

    peaks = rng.uniform(0.05, 1, shape)
    second = peaks * np.where(rng.random(shape) < 1 / 3, rng.uniform(0.2, 0.95, shape), 0)
    noise = rng.normal(0, 0.01, (people, maps, tall, width))
    return np.asarray(height * (gaussians(peaks) + gaussians(second) + noise), np.float32)
