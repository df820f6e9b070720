"""PCKh on MPII, as MMPose's MpiiPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float64, Floating, Indices, Int64
from harness.datasets.mpii_file import NUM_JOINTS
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import MatchedPeople, find_joints, joint_pck, match_people, optional
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws

UNCOUNTED = [6, 7]
"""Pelvis and thorax, which do not count in the mean."""
JOINTS = {
    "head": (9,),
    "shoulder": (13, 12),
    "elbow": (14, 11),
    "wrist": (15, 10),
    "hip": (3, 2),
    "knee": (4, 1),
    "ankle": (5, 0),
}


@dataclass(frozen=True)
class MpiiMatched(MatchedPeople):
    """N predicted people, each compared with the annotated person."""

    truth: MpiiTruth
    rows: Indices
    """[N] index into the predictions."""
    people: Indices
    """[N] index into the ground truth."""
    joints: Bool
    """[N, 4, 16]: found within 0.5 and within 0.1 head sizes, counted, and visible; a visible joint of a person without
    a head size does not count."""

    def stats(self) -> Metrics:
        """Return the stats, fractions of 1 (MMPose's are percent); None for a joint that no person shows."""
        return mpii_stats(self.joints.sum(axis=0))

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.resample.columns import columns, sums

        resampled = sums(self.joints, self.predictions.image_ids[self.rows], draws)
        return columns([mpii_stats(joints) for joints in resampled])

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.pckh.diagnosis import diagnose_mpii

        return diagnose_mpii(self, labels)


def match_mpii(predictions: Predictions, truth: MpiiTruth) -> MpiiMatched:
    """Return which keypoints of N people count and are found.

    Raises:
        RunError: Predictions are not finite, have other joints, or belong to people without annotation.
    """
    rows, people = match_people(predictions, np.arange(len(truth.joints)), NUM_JOINTS, truth.path)
    predicted = predictions.keypoints[rows] + 1  # MPII counts pixels from 1
    visible = truth.visible[people]
    (at_half, counted), (at_tenth, _) = (
        find_joints(predicted, truth.joints[people], visible, truth.head_sizes[people], threshold)
        for threshold in (0.5, 0.1)
    )
    joints = np.stack([at_half, at_tenth, counted, visible], axis=1)
    return MpiiMatched(predictions, truth, rows, people, joints)


def mpii_stats(joints: Int64) -> Metrics:
    """Return PCKh@0.5 and PCKh@0.1 over 14 joints, weighted by their visible occurrences, then PCKh@0.5 by joint.

    `joints` has the sums of `MpiiMatched.joints` over people, [4, 16].
    """
    found_at_half, found_at_tenth, counted, visible = joints
    at_half = 100 * joint_pck(found_at_half, counted)
    at_tenth = (100 * joint_pck(found_at_tenth, counted)).astype(np.float32)  # MMPose's curve has this type

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
