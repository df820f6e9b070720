"""The upright warp against cv2.warpAffine, bit for bit."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.arrays import Floating
from harness.predict.crops import warp
from harness.predict.upright import warp_upright

SIZES = [(192, 256), (7, 5), (1, 1)]
NOISE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)


def assert_same(matrix: Floating, size: tuple[int, int]) -> None:
    expected = cv2.warpAffine(NOISE, matrix, size, flags=cv2.INTER_LINEAR)
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
    """From three points, as plain crops have them: what should be zero is nearly so."""
    rng = np.random.default_rng(seed)
    center, width = rng.uniform(-20, 150, 2), rng.uniform(3, 400)
    source = np.array([center, center - [width / 2, 0], center - [width / 2, -width / 2]], np.float32)
    target = np.array([[96, 128], [0, 128], [0, 224]], np.float32)
    assert_same(np.asarray(cv2.getAffineTransform(source, target), np.float64), (192, 256))


@pytest.mark.parametrize("angle", [0.01, 1, 90, 180])
def test_maps_that_turn_are_left_to_opencv(angle: float) -> None:
    matrix = cv2.getRotationMatrix2D((60, 40), angle, 1.3)
    out = np.full((256, 192, 3), 7, np.uint8)
    if angle != 180:  # which turns nothing that a row would not know of
        assert not warp_upright(NOISE, matrix, out)
        assert (out == 7).all()
    assert_same(matrix, (192, 256))


def test_a_map_to_a_point() -> None:
    assert_same(np.zeros((2, 3)), (7, 5))
