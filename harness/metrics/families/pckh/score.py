"""PCKh on MPII, as MMPose's MpiiPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

import numpy as np

from harness.arrays import Bool, Float64, Floating, Indices, Int64
from harness.datasets.mpii_file import NUM_JOINTS as NUM_JOINTS
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.pck import find_joints, joint_pck, match_people, optional
from harness.predictions import Predictions

UNCOUNTED = [6, 7]
"""Pelvis and thorax do not count in the mean."""
JOINTS = {
    "head": (9,),
    "shoulder": (13, 12),
    "elbow": (14, 11),
    "wrist": (15, 10),
    "hip": (3, 2),
    "knee": (4, 1),
    "ankle": (5, 0),
}


def score_mpii(predictions: Predictions, truth: MpiiTruth) -> dict[str, float | None]:
    """Return PCKh@0.5 and PCKh@0.1 over 14 joints weighted by how often each is visible, then PCKh@0.5 by joint.

    Values are fractions of 1 (MMPose's are percent); None where nobody shows a joint.

    Raises:
        RunError: Predictions that are not finite, of other joints, or of people who are not annotated.
    """
    _, people = count_mpii(predictions, truth)
    return mpii_stats(people.sum(axis=0))


def count_mpii(predictions: Predictions, truth: MpiiTruth) -> tuple[Indices, Bool]:
    """Tell which keypoints of N people count and are found; raises as `score_mpii`.

    Returns:
        [N] whom of the predictions it is about, and [N, 4, 16]: found within 0.5 and within 0.1 head sizes, counted,
        and visible, which those of somebody without a head size are, too.
    """
    rows, people = match_people(predictions, np.arange(len(truth.joints)), NUM_JOINTS, truth.path)
    predicted = predictions.keypoints[rows] + 1  # MPII counts pixels from 1
    visible = truth.visible[people]
    (at_half, counted), (at_tenth, _) = (
        find_joints(predicted, truth.joints[people], visible, truth.head_sizes[people], threshold)
        for threshold in (0.5, 0.1)
    )
    return rows, np.stack([at_half, at_tenth, counted, visible], axis=1)


def mpii_stats(joints: Int64) -> dict[str, float | None]:
    """Return the stats from how many people's joints are found, count and are visible, [4, 16] as of `count_mpii`."""
    found_at_half, found_at_tenth, counted, visible = joints
    at_half = 100 * joint_pck(found_at_half, counted)
    at_tenth = (100 * joint_pck(found_at_tenth, counted)).astype(np.float32)  # as MMPose keeps the curve

    weights = visible.copy()
    weights[UNCOUNTED] = 0
    shares = weights / weights.sum() if weights.any() else np.full(NUM_JOINTS, np.nan)
    by_joint = {
        f"PCKh@0.5({name})": 0.5 * (at_half[joints[0]] + at_half[joints[-1]]) for name, joints in JOINTS.items()
    }
    percent = {"PCKh@0.5": _weighted(at_half, shares), "PCKh@0.1": _weighted(at_tenth, shares), **by_joint}
    return {name: optional(value / 100) for name, value in percent.items()}


def _weighted(values: Floating, shares: Float64) -> float:
    return float(np.where(shares == 0, 0, values * shares).sum())
