"""The warp compared with cv2.warpAffine of OpenCV 4, bit for bit, and with digests of it under any OpenCV."""

import hashlib

import cv2
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.arrays import Floating
from harness.predict.crops import warp

SIZES = [(192, 256), (7, 5), (1, 1)]
NOISE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)


REFERENCE = int(cv2.__version__.split(".")[0]) < 5
"""Whether the installed OpenCV has the arithmetic of MMPose's published numbers."""


def assert_same(matrix: Floating, size: tuple[int, int]) -> None:
    expected = cv2.warpAffine(NOISE, matrix, size, flags=cv2.INTER_LINEAR) if REFERENCE else warp(NOISE, matrix, size)
    np.testing.assert_array_equal(warp(NOISE, matrix, size), expected)
    out = np.full((size[1], size[0], 3), 7, np.uint8)
    assert warp(NOISE, matrix, size, out) is out
    np.testing.assert_array_equal(out, expected)


@settings(max_examples=300, deadline=None)
@given(
    scale=st.tuples(st.floats(0.05, 40), st.floats(0.05, 40)),
    shift=st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)),
    single=st.booleans(),
    size=st.sampled_from(SIZES),
)
@example(scale=(1, 1), shift=(0, 0), single=False, size=(192, 256))
@example(scale=(1, 1), shift=(0.5, 0.5), single=False, size=(192, 256))
@example(scale=(0.5, 2), shift=(1 / 64, -1 / 64), single=True, size=(192, 256))
def test_scaled_and_moved(
    scale: tuple[float, float], shift: tuple[float, float], single: bool, size: tuple[int, int]
) -> None:
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], np.float64)
    assert_same(matrix.astype(np.float32) if single else matrix, size)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_of_boxes(seed: int) -> None:
    """Maps from three points, as for plain crops: entries that should be zero are not exactly zero."""
    rng = np.random.default_rng(seed)
    center, width = rng.uniform(-20, 150, 2), rng.uniform(3, 400)
    source = np.array([center, center - [width / 2, 0], center - [width / 2, -width / 2]], np.float32)
    target = np.array([[96, 128], [0, 128], [0, 224]], np.float32)
    assert_same(np.asarray(cv2.getAffineTransform(source, target), np.float64), (192, 256))


@settings(max_examples=100, deadline=None)
@given(
    angle=st.floats(-360, 360),
    scale=st.floats(0.05, 40),
    center=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    size=st.sampled_from(SIZES),
)
@example(angle=0.01, scale=1.3, center=(60, 40), size=(192, 256))
@example(angle=90, scale=1.0, center=(60, 40), size=(192, 256))
@example(angle=180, scale=1.3, center=(60, 40), size=(192, 256))
def test_turned(angle: float, scale: float, center: tuple[float, float], size: tuple[int, int]) -> None:
    assert_same(np.asarray(cv2.getRotationMatrix2D(center, angle, scale), np.float64), size)


def test_known_digests() -> None:
    """Digests of OpenCV 4.11's crops; with other versions, they tie the warp to the published arithmetic."""
    rng = np.random.default_rng(1)
    scales, shifts = rng.uniform(0.2, 4, (2, 50)), rng.uniform(-200, 50, (2, 50))
    upright = [np.array([[a, 0, x], [0, b, y]]) for a, b, x, y in zip(*scales, *shifts, strict=True)]
    turned = [np.array([[a, b, x], [-b, a, y]]) for a, b, x, y in zip(*scales, *shifts, strict=True)]
    digests = [
        hashlib.sha256(b"".join(warp(NOISE, matrix, (192, 256)).tobytes() for matrix in group)).hexdigest()[:16]
        for group in (upright, turned)
    ]
    assert digests == ["7ef2ab3ff8894b49", "85a0db99532aa9b5"]


def test_a_map_to_a_point() -> None:
    assert_same(np.zeros((2, 3)), (7, 5))
