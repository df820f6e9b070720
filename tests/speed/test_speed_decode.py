"""Decoding beside MMPose's codecs, on a few people."""

import numpy as np
import pytest

from harness.codecs.drawn import draw_heatmaps
from harness.errors import DifferenceError
from harness.plugins import plugins
from harness.speed.decode import HEATMAP_SIZE, KEYPOINTS, PASSES, check_keypoints, measure_decoding


@pytest.mark.parametrize("codec", [name for name, codec in plugins("codecs").items() if codec.settings])
def test_two_rounds(codec: str) -> None:
    outcome = measure_decoding(plugins("codecs")[codec], 70, 2)  # a batch and a bit
    assert (outcome.comparison.work, outcome.comparison.unit) == (70 * PASSES, "people")
    assert len(outcome.comparison.ratio.rounds) == 2
    assert 0 <= outcome.keypoint_max_px <= 0.01


def test_heatmaps() -> None:
    heatmaps = draw_heatmaps(20, KEYPOINTS, 255, HEATMAP_SIZE)
    assert heatmaps.shape == (20, 17, 64, 48)
    assert heatmaps.dtype == np.float32
    np.testing.assert_array_equal(heatmaps, draw_heatmaps(20, KEYPOINTS, 255, HEATMAP_SIZE))
    peaks = heatmaps.max(axis=(2, 3)) / 255
    assert 0.03 < peaks.min() < 0.2
    assert 0.9 < peaks.max() < 1.1


def test_a_keypoint_that_differs() -> None:
    keypoints = np.zeros((2, 17, 2))
    assert check_keypoints("dark", keypoints, keypoints + 0.009) == pytest.approx(0.009)
    moved = keypoints.copy()
    moved[1, 3, 0] = -0.02
    with pytest.raises(DifferenceError, match=r"dark: a decoded keypoint differs from MMPose's by 0.0200 px"):
        check_keypoints("dark", keypoints, moved)
    with pytest.raises(DifferenceError):
        check_keypoints("dark", keypoints, keypoints + np.nan)
