"""Non-maximum suppression of poses by object keypoint similarity (OKS), all images at once.

Both functions give the values and types of mmpose/evaluation/functional/nms.py (under NumPy 1.26: arithmetic in the
type of the keypoints, similarities and thresholds in float32). There are two intended differences from MMPose:

- MMPose ranks with an unstable sort, so that the order of equal scores depends on the CPU. Here the sort is stable and,
  as in MMPose's `argsort()[::-1]`, the later of two equal scores comes first.
- MMPose processes the images one by one. Here each round processes the best remaining pose of every image.
"""

from collections.abc import Callable

import numpy as np

from harness.arrays import Float32, Floating, Indices, Int64


def oks_nms(
    image_ids: Int64, keypoints: Floating, scores: Floating, areas: Float32, sigmas: Float32, threshold: float
) -> Indices:
    """Suppress the poses that are similar to a better pose of their image.

    Args:
        image_ids: [N]
        keypoints: [N, K, 2] image px; all keypoints count, with any score.
        scores: [N] finite
        areas: [N] each pose's scale, px²: MMPose uses the area of the padded crop, unlike in the evaluation.
        sigmas: [K]
        threshold: A pose whose OKS with a better one is above this is removed.

    Returns:
        Indices of the poses kept, by image id, then best first.
    """
    similarity = _similarity(keypoints, areas, sigmas)
    # A few keypoints rule out most pairs: the threshold is not reached even if all other keypoints are equal.
    count = len(sigmas)
    few = min(int(2 * count * max(1 - threshold, 0)) + 1, count)
    similarity_of_few = _similarity(keypoints[:, :few], areas, sigmas[:few])
    needed = np.float32(1 - (1 - threshold) * count / few - 1e-3)  # with a margin for rounding
    remaining = _ranked(np.arange(len(scores)), scores, image_ids)
    kept = []
    while len(remaining):
        leaders, followers, leader_of = _split(remaining, image_ids)
        kept.append(leaders)
        near = np.flatnonzero(similarity_of_few(leader_of, followers) > needed)
        alike = near[similarity(leader_of[near], followers[near]) > np.float32(threshold)]
        remaining = np.delete(followers, alike)
    return _by_image(kept, image_ids)


def soft_oks_nms(
    image_ids: Int64,
    keypoints: Floating,
    scores: Floating,
    areas: Float32,
    sigmas: Float32,
    threshold: float,
    max_per_image: int = 20,
) -> Indices:
    """Select poses in rounds, in which the scores of poses similar to a selected one decay.

    The arguments are those of `oks_nms`; the decay is exp(-OKS² / threshold). At most `max_per_image` poses are kept.

    Returns:
        Indices of the poses kept, by image id, then in the order of selection. Scores are not changed: MMPose uses the
        decayed scores for the ranking only.
    """
    similarity = _similarity(keypoints, areas, sigmas)
    decayed = scores.copy()
    remaining = _ranked(np.arange(len(scores)), decayed, image_ids)
    kept: list[Indices] = []
    while len(remaining) and len(kept) < max_per_image:
        leaders, followers, leader_of = _split(remaining, image_ids)
        kept.append(leaders)
        decayed[followers] *= np.exp(-(similarity(leader_of, followers) ** 2) / np.float32(threshold))
        remaining = _ranked(followers, decayed, image_ids)
    return _by_image(kept, image_ids)


def _ranked(poses: Indices, scores: Floating, image_ids: Int64) -> Indices:
    """Return the poses sorted by image, then best first, then last first."""
    poses = poses[::-1]
    ranked: Indices = poses[np.lexsort((-scores[poses], image_ids[poses]))]
    return ranked


def _split(ranked: Indices, image_ids: Int64) -> tuple[Indices, Indices, Indices]:
    """Return the first pose of every image, the other poses, and for each of these the first of its image."""
    images = image_ids[ranked]
    leads = np.ones(len(ranked), bool)
    leads[1:] = images[1:] != images[:-1]
    leaders = ranked[leads]
    return leaders, ranked[~leads], leaders[np.cumsum(leads) - 1][~leads]


def _by_image(rounds: list[Indices], image_ids: Int64) -> Indices:
    kept = np.concatenate(rounds) if rounds else np.empty(0, np.intp)
    return kept[np.argsort(image_ids[kept], kind="stable")]


def _similarity(keypoints: Floating, areas: Float32, sigmas: Float32) -> Callable[[Indices, Indices], Float32]:
    """Return a function that returns the OKS of pairs of poses, float32."""
    keypoints = np.ascontiguousarray(keypoints)  # the memory order decides the order of NumPy's sum
    variances = (sigmas * 2) ** 2

    def similarity(first: Indices, second: Indices) -> Float32:
        offsets = keypoints[second] - keypoints[first]
        squares = offsets[..., 0] ** 2 + offsets[..., 1] ** 2
        scales = (areas[first] + areas[second]).astype(np.float64) / 2 + np.spacing(1)
        exponents = squares / variances / scales.astype(keypoints.dtype)[:, None] / 2
        oks: Floating = np.exp(-exponents).sum(axis=1) / len(variances)
        return oks.astype(np.float32)

    return similarity
