"""The score of a pose, from its box's score and its keypoints' scores."""

from typing import Literal

import numpy as np

from harness.arrays import Float32, Float64, Floating

ScoreMode = Literal["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]


def pose_scores(box_scores: Float32, keypoint_scores: Float32, mode: ScoreMode, threshold: float) -> Floating:
    """Score N poses as MMPose's CocoMetric.compute_metrics does (mmpose/evaluation/metrics/coco_metric.py).

    MMPose's result depends on the NumPy version: `0 + np.float32` is a float32 with NumPy 2 (NEP 50) and a float64 with
    NumPy 1, which changes AP in the eighth digit. The published numbers were computed with NumPy 1. This function uses
    NumPy 1's types explicitly, so its result does not depend on the version.

    Args:
        box_scores: [N]
        keypoint_scores: [N, K]
        mode: 'bbox' is the box's score, and 'keypoint' the mean of the keypoints' scores. 'bbox_keypoint' is the box's
            score times the mean of the scores of those keypoints that exceed the threshold, 0 where none does.
            'bbox_rle' is the sum of the box's score, the mean and the highest of all keypoints' scores.
        threshold: For 'bbox_keypoint'; compared in float64, so float32(0.2), which is a little more, exceeds 0.2.

    Returns:
        [N] float32, or float64 for 'bbox_keypoint' and 'bbox_rle', the latter summed in single precision. OKS-NMS ranks
        and decays the scores in this type.
    """
    if mode == "bbox":
        return box_scores
    if mode == "keypoint":
        means: Floating = np.ascontiguousarray(keypoint_scores).mean(axis=1)
        return means
    if mode == "bbox_rle":
        keypoint_scores = np.ascontiguousarray(keypoint_scores)
        sums: Float64 = (box_scores + keypoint_scores.mean(axis=1) + keypoint_scores.max(axis=1)).astype(np.float64)
        return sums
    scores = keypoint_scores.astype(np.float64)
    counted = scores > threshold
    # cumsum adds one keypoint after the other, as MMPose's loop does; sum would add pairwise.
    totals = np.cumsum(np.where(counted, scores, 0.0), axis=1)[:, -1]
    scored: Float64 = box_scores.astype(np.float64) * (totals / np.maximum(counted.sum(axis=1), 1))
    return scored
