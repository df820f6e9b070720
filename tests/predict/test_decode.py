"""Every decoder compared with MMPose's codec of the same name, on heatmaps unlike those of trained networks."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from upstream_config import build_codec

from harness.arrays import Float32, Floating
from harness.codecs.inverse import inverses
from harness.codecs.loops import blur_around_maxima
from harness.errors import SpecError
from harness.plugins import plugins
from harness.predict.decoding import Decoding, begin_decoding
from harness.protocol import Decoder

# Input and heatmap sizes (width, height): the usual stride of 4, also large, AlexNet's two strides, strides of 8, and
# other data sets' sizes.
SIZES = {
    "stride4": ((192, 256), (48, 64)),
    "large": ((288, 384), (72, 96)),
    "alexnet": ((192, 256), (40, 56)),
    "cpm": ((368, 368), (46, 46)),
    "cpm-large": ((288, 384), (36, 48)),
    "jhmdb": ((256, 256), (32, 32)),
    "freihand": ((224, 224), (56, 56)),
    "locust": ((160, 160), (40, 40)),
    "crowdpose": ((256, 320), (64, 80)),
}
CODECS: dict[str, dict[str, Any]] = {
    "msra": {"type": "MSRAHeatmap", "sigma": 2},
    "dark": {"type": "MSRAHeatmap", "sigma": 2, "unbiased": True},
    "udp": {"type": "UDPHeatmap", "sigma": 2},
    "megvii": {"type": "MegviiHeatmap"},
    "udp-combined": {"type": "UDPHeatmap", "heatmap_type": "combined", "sigma": 2},
}
TOLERANCE = 0.01
"""Largest allowed difference, px of the network's input."""


def kernel_size(codec: str, heatmap_size: tuple[int, ...]) -> int | None:
    """Return the kernel size in MMPose's configs for heatmaps of this size."""
    if codec == "megvii":
        return 5
    return None if codec == "msra" else 17 if heatmap_size == (72, 96) else 11


def radius(codec: str) -> float | None:
    """Return MMPose's default."""
    return 0.0546875 if codec == "udp-combined" else None


def with_offsets(codec: str, heatmaps: Float32) -> Float32:
    """Return heatmaps in the form of a codec: with three per keypoint, two offset maps follow each heatmap."""
    if codec != "udp-combined":
        return heatmaps
    offsets = np.random.default_rng(1).normal(0, 1, (*heatmaps.shape[:2], 2, *heatmaps.shape[2:])).astype(np.float32)
    together: Float32 = np.concatenate([heatmaps[:, :, None], offsets], axis=2)
    return np.asarray(together.reshape(len(heatmaps), -1, *heatmaps.shape[2:]), np.float32)


def reference(
    codec: str, heatmaps: Floating, input_size: tuple[int, int], kernel: int | None = None
) -> tuple[Floating, Floating]:
    """Decode person by person with MMPose's codec."""
    heatmap_size = heatmaps.shape[:1:-1]
    kernel = kernel or kernel_size(codec, heatmap_size)
    name = "kernel_size" if codec == "megvii" else "blur_kernel_size"
    blur = {name: kernel} if kernel else {}
    upstream = build_codec(**CODECS[codec], **blur, input_size=input_size, heatmap_size=heatmap_size)
    decoded = [upstream.decode(person.copy()) for person in heatmaps]
    return np.concatenate([points for points, _ in decoded]), np.concatenate([scores for _, scores in decoded])


def begin(
    codec: Any, heatmaps: Float32 | torch.Tensor, input_size: tuple[int, int], kernel: int | None = None
) -> Decoding:
    heatmap_size = (heatmaps.shape[3], heatmaps.shape[2])
    kernel = kernel or kernel_size(codec, heatmap_size)
    decoder = Decoder(codec=codec, heatmap_size=heatmap_size, blur_kernel_size=kernel, radius_factor=radius(codec))
    return begin_decoding(torch.as_tensor(heatmaps), decoder, input_size)


def on_path(codec: str, path: str) -> Any:
    """Let a codec use the fast path for devices, or the one for CPUs, on a CPU."""
    plugin = plugins("codecs")[codec]
    return patch.object(plugin, "on_cpu", getattr(plugin, path))


def ours(codec: str, heatmaps: Float32, input_size: tuple[int, int]) -> tuple[Floating, Floating]:
    return begin(codec, heatmaps, input_size).result()


def check(codec: str, heatmaps: Float32, input_size: tuple[int, int], kernel: int | None = None) -> float:
    """Compare both fast paths with MMPose, and their certain keypoints alone. Return the lower certain share."""
    heatmaps = with_offsets(codec, heatmaps)
    expected_points, expected_scores = reference(codec, heatmaps, input_size, kernel)
    # Megvii's is the maximum of a heatmap scaled to have this maximum, and the combined maps' is blurred.
    rtol = 1e-6 if codec == "megvii" else 0
    atol = 2e-6 * np.abs(heatmaps).max() if codec == "udp-combined" else 0
    shares = []
    for path in ("on_cpu", "on_device"):
        with on_path(codec, path):
            decoding = begin(codec, heatmaps, input_size, kernel)
        points, scores = decoding.result()
        assert points.dtype == expected_points.dtype
        assert scores.dtype == expected_scores.dtype
        np.testing.assert_allclose(points, expected_points, rtol=0, atol=0 if codec == "msra" else TOLERANCE)
        np.testing.assert_allclose(scores, expected_scores, rtol=rtol, atol=atol)

        fast = decoding.locate()
        np.testing.assert_allclose(
            fast.points[fast.certain], expected_points.reshape(-1, 2)[fast.certain], rtol=0, atol=TOLERANCE
        )
        shares.append(float(fast.certain.mean()))
    return min(shares)


def blobs(rng: np.random.Generator, count: int, size: tuple[int, int], peak: float) -> Float32:
    """Return random heatmaps [count, 5, H, W]: Gaussians inside, at the border and outside, on noise."""
    width, height = size
    x, y = rng.uniform(-2, width + 2, (count, 5, 1, 1)), rng.uniform(-2, height + 2, (count, 5, 1, 1))
    sigma = rng.uniform(1, 4, (count, 5, 1, 1))
    grid_y, grid_x = np.mgrid[:height, :width]
    gaussians = np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * sigma**2))
    noise = rng.normal(0, rng.choice([0, 0.01, 0.2]), gaussians.shape)
    heatmaps: Float32 = (peak * (gaussians + noise)).astype(np.float32)
    return heatmaps


def several_peaks(rng: np.random.Generator, count: int, size: tuple[int, int]) -> Float32:
    """Return heatmaps [count, 4, H, W] of three blobs, some equally high, on slopes, with troughs below zero."""
    width, height = size
    grid_y, grid_x = np.mgrid[:height, :width]
    shape = (3, count, 4, 1, 1)
    x, y = rng.integers(0, width, shape), rng.integers(0, height, shape)
    peak = rng.choice([1, 1, 0.99999, 0.9, 0.5, -0.5], shape)
    gaussians = peak * np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * rng.uniform(0.7, 6, shape) ** 2))
    slope = rng.choice([0, 0.001, 0.01]) * (grid_x - grid_y)
    heatmaps: Float32 = (gaussians.sum(0) + slope).astype(np.float32)
    return heatmaps


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_upstream(codec: str, size: str, seed: int) -> None:
    input_size, heatmap_size = SIZES[size]
    rng = np.random.default_rng(seed)
    peak = rng.choice([0.001, 0.02, 0.3, 1, 70]) * (255 if codec == "megvii" else 1)
    check(codec, blobs(rng, 3, heatmap_size, peak), input_size)


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_several_peaks(codec: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check(codec, several_peaks(rng, 3, (48, 64)), (192, 256), kernel=None if codec == "msra" else rng.choice([5, 11]))


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(8, 30), height=st.integers(8, 30))
def test_any_size(codec: str, seed: int, width: int, height: int) -> None:
    """Also heatmaps smaller than the windows."""
    rng = np.random.default_rng(seed)
    heatmaps = blobs(rng, 1, (width, height), 1)[:, : rng.integers(1, 6)]
    check(codec, heatmaps, (4 * width, 4 * height))


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), offset=st.sampled_from([0, -0.5, -5]))
def test_noise(codec: str, seed: int, offset: float) -> None:
    """These keypoints depend on MMPose's rounding, clamping and reading of the wrong heatmap."""
    heatmaps = np.random.default_rng(seed).normal(offset, 0.3, (2, 3, 64, 48)).astype(np.float32)
    check(codec, heatmaps, (192, 256))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", ["stride4", "large"])
@pytest.mark.parametrize("low", [0.05, 0.02])
def test_hardly_any_typical_heatmap_needs_the_exact_path(codec: str, size: str, low: float) -> None:
    input_size, (width, height) = SIZES[size]
    rng = np.random.default_rng(0)
    shape = (30, 17, 1, 1)
    peak, sigma = rng.uniform(low, 1, shape), 3 if size == "large" else 2
    x, y = rng.uniform(0, width - 1, shape), rng.uniform(0, height - 1, shape)
    grid_y, grid_x = np.mgrid[:height, :width]
    gaussians = peak * np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * sigma**2))
    noise = rng.normal(0, 0.01 if low == 0.05 else 0.002, gaussians.shape)
    heatmaps = ((gaussians + noise) * (255 if codec == "megvii" else 1)).astype(np.float32)
    assert check(codec, heatmaps, input_size) > (0.9999 if codec == "msra" else 0.99)


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # upstream scales zeros by 0 / 0
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("constant", [0, 0.5, 60, -1])
def test_constant_heatmaps(codec: str, constant: float) -> None:
    check(codec, np.full((2, 3, 64, 48), constant, np.float32), (192, 256))


@pytest.mark.parametrize("codec", CODECS)
def test_heatmaps_of_any_layout_stay_as_they_are(codec: str) -> None:
    heatmaps = torch.from_numpy(with_offsets(codec, blobs(np.random.default_rng(0), 3, (48, 64), 1)))
    before = heatmaps.clone()
    points, scores = begin(codec, heatmaps, (192, 256)).result()
    layouts = (
        heatmaps.to(memory_format=torch.channels_last),
        torch.stack([heatmaps, heatmaps], dim=-1)[..., 0],
        heatmaps[:1].expand(3, -1, -1, -1),
        heatmaps.clone().requires_grad_(),
    )
    for layout in layouts:
        others, _ = begin(codec, layout, (192, 256)).result()
        np.testing.assert_array_equal(others[0], points[0])
        assert layout is layouts[2] or (others == points).all()
    alone = [begin(codec, person[None], (192, 256)).result() for person in heatmaps]
    np.testing.assert_allclose(np.concatenate([each for each, _ in alone]), points, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(np.concatenate([each for _, each in alone]), scores)
    np.testing.assert_array_equal(heatmaps, before)


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf])
@pytest.mark.parametrize("path", ["on_cpu", "on_device"])
def test_scores_tell_of_heatmaps_that_are_not_finite(codec: str, value: float, path: str) -> None:
    heatmaps = blobs(np.random.default_rng(0), 2, (48, 64), 1)
    heatmaps[1, 2, 30, 20] = value
    with on_path(codec, path):
        _, scores = ours(codec, with_offsets(codec, heatmaps), (192, 256))
    assert not np.isfinite(scores[1, 2])
    assert np.isfinite(scores).sum() == scores.size - 1


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.float32, np.float64]))
def test_inverses_in_one_thread_are_the_same(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    matrices: Floating = (rng.normal(size=(3, 17, 2, 2)) * 10.0 ** rng.uniform(-6, 6, (3, 17, 1, 1))).astype(dtype)
    found = inverses(matrices)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.linalg.inv(matrices))


def test_every_codec_of_heatmaps_is_compared_with_mmposes() -> None:
    assert {name for name, codec in plugins("codecs").items() if codec.has_heatmaps} == set(CODECS)


@pytest.mark.parametrize("codec", CODECS)
def test_settings_of_mmpose_are_read(codec: str) -> None:
    kernel = kernel_size(codec, (48, 64))
    expected = Decoder(codec=codec, heatmap_size=(48, 64), blur_kernel_size=kernel, radius_factor=radius(codec))
    plugin = plugins("codecs")[codec]
    blur = {"kernel_size": kernel} if codec == "megvii" else {}
    for given_settings in ({**CODECS[codec], **blur}, plugin.settings):
        described = {**given_settings, "input_size": (192, 256), "heatmap_size": (48, 64)}
        assert [each.read(described) for each in plugins("codecs").values() if each.read(described)] == [expected]


def test_an_unknown_codec() -> None:
    with pytest.raises(SpecError, match=r"protocol field decoder\.codec: mrsa is not supported; supported are dark, "):
        begin("mrsa", np.zeros((1, 1, 64, 48), np.float32), (192, 256), kernel=11)


def test_a_codec_without_a_fast_path_is_decoded_exactly() -> None:
    heatmaps = blobs(np.random.default_rng(0), 3, (48, 64), 1)
    plugin = plugins("codecs")["udp"]
    with patch.object(plugin, "on_cpu", None):
        found = ours("udp", heatmaps, (192, 256))
    for values, expected in zip(found, reference("udp", heatmaps, (192, 256)), strict=True):
        np.testing.assert_array_equal(values, expected)


def test_several_batches_at_once() -> None:
    batches = [blobs(np.random.default_rng(seed), 2, (48, 64), 1) for seed in range(3)]
    begun = [begin("dark", batch, (192, 256)) for batch in batches]
    for decoding, batch in zip(begun, batches, strict=True):
        np.testing.assert_array_equal(decoding.result()[0], ours("dark", batch, (192, 256))[0])


def test_a_blurred_maximum_far_from_the_maximum_is_found_on_a_cpu() -> None:
    grid_y, grid_x = np.mgrid[:64, :48]
    heatmaps = (200 * np.exp(-((grid_x - 30.2) ** 2 + (grid_y - 40.3) ** 2) / 18)).astype(np.float32)[None, None]
    heatmaps[0, 0, 10, 10] = 255
    points, _ = reference("megvii", heatmaps, (192, 256))
    located = begin("megvii", heatmaps, (192, 256)).locate()
    assert located.certain.all()
    np.testing.assert_array_equal(located.points, points[0])
    np.testing.assert_array_equal(located.points, [[(30 + 0.75) * 4, (40 + 0.75) * 4]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("codec", CODECS)
def test_on_a_gpu(codec: str) -> None:
    heatmaps = with_offsets(codec, blobs(np.random.default_rng(0), 20, (48, 64), 255 if codec == "megvii" else 1))
    points, scores = begin(codec, torch.from_numpy(heatmaps).cuda(), (192, 256)).result()
    expected_points, expected_scores = reference(codec, heatmaps, (192, 256))
    np.testing.assert_allclose(points, expected_points, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 1), (2, 2), (47, 63), (46, 62), (45, 61), (0, 30), (30, 63)])
def test_maximum_at_every_border(codec: str, corner: tuple[int, int]) -> None:
    x, y = corner
    heatmaps = np.full((1, 1, 64, 48), 0.01, np.float32)
    heatmaps[0, 0, y, x] = 1
    heatmaps[0, 0, min(y + 1, 63), min(x + 1, 47)] += 0.5
    heatmaps = with_offsets(codec, heatmaps)
    points, _ = ours(codec, heatmaps, (192, 256))
    np.testing.assert_allclose(points, reference(codec, heatmaps, (192, 256))[0], atol=1e-4)


@pytest.mark.parametrize("codec", ["msra", "dark", "udp", "udp-combined"])
def test_no_positive_maximum(codec: str) -> None:
    heatmaps = -np.random.default_rng(0).uniform(0.1, 1, (2, 3, 64, 48)).astype(np.float32)
    heatmaps = with_offsets(codec, heatmaps)
    points, scores = ours(codec, heatmaps, (192, 256))
    np.testing.assert_allclose(points, reference(codec, heatmaps, (192, 256))[0], atol=1e-4)
    assert (scores < 0).all()


VALUES = [0, -0.0, 1, -1, 2, -2, 2.0**127, -(2.0**127), 2.0**-140, np.inf, -np.inf, np.nan, -np.nan]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), values=st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
def test_maxima_of_any_values_are_numpys(data: st.DataObject, values: list[float]) -> None:
    drawn = data.draw(arrays(np.float32, (3, 5, 7), elements=st.sampled_from(values)))
    index, scores = np.empty(3, np.intp), np.empty(3, np.float32)
    blurred, largest = np.empty((3, 1, 1), np.float32), np.empty(3, np.float32)
    blur_around_maxima(drawn, np.ones(1, np.float32), index, scores, blurred, largest)
    expected = drawn.reshape(3, -1).argmax(axis=1)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(scores, drawn.reshape(3, -1)[range(3), expected])


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


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("path", ["on_cpu", "on_device"])
def test_what_is_kept_is_decoded_among_all(codec: str, path: str) -> None:
    """If a maximum is not positive, MMPose reads heatmaps of other keypoints, also of those that it does not keep."""
    heatmaps = blobs(np.random.default_rng(0), 3, (48, 64), 1)
    heatmaps[1, [0, 3]] -= 5
    heatmaps = with_offsets(codec, heatmaps)
    kept = (0, 3, 1)
    points, scores = reference(codec, heatmaps, (192, 256))
    with on_path(codec, path):
        begun = begin(codec, heatmaps, (192, 256))
        decoder = begun.decoder.model_copy(update={"kept": kept})
        found = begin_decoding(torch.from_numpy(heatmaps), decoder, (192, 256)).result()
    np.testing.assert_allclose(found[0], points[:, kept], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found[1], scores[:, kept], rtol=1e-5, atol=1e-5)
    assert (found[0] != begun.result()[0][:, :3]).any()
