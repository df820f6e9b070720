"""Compared with a transcription of the loop in MMPose's CocoMetric.compute_metrics, in NumPy 1's types."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.pose_score import pose_scores


@given(seed=st.integers(0, 2**32), threshold=st.sampled_from([0.0, 0.2, 0.5, 2.0]))
def test_bbox_keypoint(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    box_scores = rng.random(5, np.float32)
    # Powers, because sums of floats of similar size are exact in double precision, in any order.
    keypoint_scores = rng.random((5, 17), np.float32) ** rng.choice([1, 20])
    keypoint_scores[rng.random((5, 17)) < 0.2] = 0.2
    for score, box_score, scores in zip(
        pose_scores(box_scores, keypoint_scores, "bbox_keypoint", threshold), box_scores, keypoint_scores, strict=True
    ):
        total, count = 0.0, 0
        for keypoint_score in scores.tolist():
            if keypoint_score > threshold:
                total += keypoint_score
                count += 1
        assert score == float(box_score) * (total / count if count else 0)


def test_threshold_is_compared_in_double() -> None:
    just_above = np.full((1, 1), 0.2, np.float32)
    assert pose_scores(np.ones(1, np.float32), just_above, "bbox_keypoint", 0.2) == [float(np.float32(0.2))]


@pytest.mark.parametrize("mode", ["bbox", "keypoint"])
def test_single_precision_modes(mode: str) -> None:
    rng = np.random.default_rng(0)
    box_scores, keypoint_scores = rng.random(50, np.float32), rng.random((50, 17), np.float32)
    scores = pose_scores(box_scores, np.asfortranarray(keypoint_scores), mode, 0.2)  # type: ignore[arg-type]
    expected = box_scores if mode == "bbox" else np.array([np.mean(row) for row in keypoint_scores])
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, expected)
