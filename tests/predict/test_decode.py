"""Every decoder against MMPose's codec of the same name, on heatmaps that no trained network would give."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_config import build_codec

from harness.arrays import Float32, Floating
from harness.predict.decode import decode
from harness.protocol import Decoder

# Input and heatmap sizes (width, height): the usual stride of 4, AlexNet's two strides, CPM's stride of 8.
SIZES = {"stride4": ((192, 256), (48, 64)), "alexnet": ((192, 256), (40, 56)), "cpm": ((368, 368), (46, 46))}
CODECS: dict[str, dict[str, Any]] = {
    "msra": {"type": "MSRAHeatmap", "sigma": 2},
    "dark": {"type": "MSRAHeatmap", "sigma": 2, "unbiased": True},
    "udp": {"type": "UDPHeatmap", "sigma": 2},
    "megvii": {"type": "MegviiHeatmap", "kernel_size": 5},
}
BLUR = {"msra": None, "dark": 11, "udp": 11, "megvii": 5}


def reference(codec: str, heatmaps: Floating, input_size: tuple[int, int]) -> tuple[Floating, Floating]:
    """Decode person by person with MMPose's codec."""
    upstream = build_codec(**CODECS[codec], input_size=input_size, heatmap_size=heatmaps.shape[:1:-1])
    decoded = [upstream.decode(person.copy()) for person in heatmaps]
    return np.concatenate([points for points, _ in decoded]), np.concatenate([scores for _, scores in decoded])


def ours(codec: Any, heatmaps: Float32, input_size: tuple[int, int]) -> tuple[Floating, Floating]:
    decoder = Decoder(codec=codec, heatmap_size=(heatmaps.shape[3], heatmaps.shape[2]), blur_kernel_size=BLUR[codec])
    return decode(heatmaps, decoder, input_size)


def blobs(rng: np.random.Generator, count: int, size: tuple[int, int], peak: float) -> Float32:
    """Draw heatmaps [count, 5, H, W]: Gaussians at the border and outside it as well as inside, on noise."""
    width, height = size
    x, y = rng.uniform(-2, width + 2, (count, 5, 1, 1)), rng.uniform(-2, height + 2, (count, 5, 1, 1))
    sigma = rng.uniform(1, 4, (count, 5, 1, 1))
    grid_y, grid_x = np.mgrid[:height, :width]
    gaussians = np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * sigma**2))
    noise = rng.normal(0, rng.choice([0, 0.01, 0.2]), gaussians.shape)
    heatmaps: Float32 = (peak * (gaussians + noise)).astype(np.float32)
    return heatmaps


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_upstream(codec: str, size: str, seed: int) -> None:
    input_size, heatmap_size = SIZES[size]
    heatmaps = blobs(np.random.default_rng(seed), 3, heatmap_size, peak=255 if codec == "megvii" else 1)
    points, scores = ours(codec, heatmaps, input_size)
    expected_points, expected_scores = reference(codec, heatmaps, input_size)
    assert points.dtype == expected_points.dtype
    np.testing.assert_allclose(points, expected_points, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 1), (2, 2), (47, 63), (46, 62), (45, 61), (0, 30), (30, 63)])
def test_maximum_at_every_border(codec: str, corner: tuple[int, int]) -> None:
    x, y = corner
    heatmaps = np.full((1, 1, 64, 48), 0.01, np.float32)
    heatmaps[0, 0, y, x] = 1
    heatmaps[0, 0, min(y + 1, 63), min(x + 1, 47)] += 0.5
    points, _ = ours(codec, heatmaps, (192, 256))
    np.testing.assert_allclose(points, reference(codec, heatmaps, (192, 256))[0], atol=1e-4)


@pytest.mark.parametrize("codec", ["msra", "dark", "udp"])
def test_no_positive_maximum(codec: str) -> None:
    heatmaps = -np.random.default_rng(0).uniform(0.1, 1, (2, 3, 64, 48)).astype(np.float32)
    points, scores = ours(codec, heatmaps, (192, 256))
    np.testing.assert_allclose(points, reference(codec, heatmaps, (192, 256))[0], atol=1e-4)
    assert (scores < 0).all()


def test_ties_take_the_first_maximum() -> None:
    heatmaps = np.zeros((1, 1, 64, 48), np.float32)
    heatmaps[0, 0, 10, [5, 20]] = 1
    points, _ = ours("msra", heatmaps, (192, 256))
    np.testing.assert_array_equal(points, reference("msra", heatmaps, (192, 256))[0])
    np.testing.assert_array_equal(points[0, 0], [20, 40])


def test_alexnet_has_two_strides() -> None:
    heatmaps = np.zeros((1, 1, 56, 40), np.float32)
    heatmaps[0, 0, 28, 20] = 1
    points, _ = ours("msra", heatmaps, (192, 256))
    np.testing.assert_allclose(points[0, 0], [20 * 4.8, 28 * 256 / 56], rtol=1e-6)
