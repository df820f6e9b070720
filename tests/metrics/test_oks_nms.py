"""OKS NMS compared with mmpose.evaluation.functional: the same poses kept, in the same order."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.oks_nms import oks_nms, soft_oks_nms

from . import cases, upstream

OURS = {"oks": oks_nms, "soft-oks": soft_oks_nms}
THEIRS = {"oks": upstream.mmpose_nms.oks_nms, "soft-oks": upstream.mmpose_nms.soft_oks_nms}


def poses(rng: np.random.Generator, count: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Return image ids, keypoints and areas of poses in a few clusters."""
    images = rng.integers(0, 4, count)
    centers = rng.uniform(0, 300, (5, 17, 2))
    noise = rng.normal(0, 1, (count, 17, 2)) * rng.choice([0, 1, 4, 12], (count, 1, 1))
    return (
        images,
        (centers[rng.integers(0, 5, count)] + noise).astype(dtype),
        rng.uniform(500, 40000, count).astype("f4"),
    )


def keep_upstream(
    method: str, images: Any, keypoints: Any, scores: Any, areas: Any, sigmas: Any, thr: float
) -> list[int]:
    kept = []
    for image in np.unique(images):
        members = np.flatnonzero(images == image)
        visible = np.ones((17, 1), keypoints.dtype)
        people = [
            {"keypoints": np.concatenate([keypoints[i], visible], axis=1), "score": scores[i], "area": areas[i]}
            for i in members
        ]
        with upstream.numpy_1():
            kept += [int(members[index]) for index in THEIRS[method](people, thr, sigmas=sigmas)]
    return kept


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["oks", "soft-oks"]),
    threshold=st.sampled_from([0.05, 0.3, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
    score_dtype=st.sampled_from([np.float32, np.float64]),
    ties=st.booleans(),
)
def test_random_poses(seed: int, method: str, threshold: float, dtype: Any, score_dtype: Any, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    images, keypoints, areas = poses(rng, int(rng.integers(0, 150)), dtype)
    scores = (rng.choice([0, 0.3, 0.7], len(images)) if ties else rng.permutation(len(images)) / 150).astype(
        score_dtype
    )
    arguments = images, keypoints, scores, areas, np.array(cases.COCO_SIGMAS, np.float32), threshold
    ours = OURS[method](*arguments)
    with pytest.MonkeyPatch.context() as monkeypatch:
        if ties:
            upstream.make_nms_stable(monkeypatch)
        assert ours.tolist() == keep_upstream(method, *arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threshold_at_a_similarity(dtype: Any) -> None:
    """A pose is kept at its similarity and dropped one step below, so similarities equal MMPose's to the last bit."""
    rng = np.random.default_rng(0)
    sigmas = np.array(cases.COCO_SIGMAS, np.float32)
    for _ in range(50):
        keypoints = rng.uniform(0, 300, (1, 17, 2)).astype(dtype) + rng.normal(0, 5, (2, 17, 2)).astype(dtype)
        areas = rng.uniform(500, 40000, 2).astype(np.float32)
        flat = np.concatenate([keypoints, np.ones((2, 17, 1), dtype)], axis=2).reshape(2, -1)
        with upstream.numpy_1():
            (similarity,) = upstream.mmpose_nms.oks_iou(flat[0], flat[1:], areas[0], areas[1:], sigmas)
        for threshold, expected in ((similarity, [0, 1]), (np.nextafter(similarity, np.float32(0)), [0])):
            kept = oks_nms(np.zeros(2, int), keypoints, np.array([0.9, 0.8]), areas, sigmas, float(threshold))
            assert kept.tolist() == expected


def test_the_later_of_equal_scores_comes_first() -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 1e6, (100, 17, 2))
    images = np.arange(100) % 2
    kept = oks_nms(images, keypoints, np.ones(100), np.ones(100, "f4"), np.array(cases.COCO_SIGMAS, "f4"), 0.9)
    assert kept.tolist() == [*range(98, -1, -2), *range(99, 0, -2)]
