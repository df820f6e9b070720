"""PCK on JHMDB, as MMPose's JhmdbPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64
from harness.metrics.families.jhmdb_pck.scoring import JhmdbScoring
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import (
    MatchedPeople,
    find_joints,
    joint_pck,
    match_people,
    mean_over_joints,
    optional,
    torso_sizes,
)
from harness.metrics.truth import Truth
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws

NUM_JOINTS = 15
TORSO = (4, 5)
"""The torso runs from the left shoulder to the right hip."""
JOINTS = {
    "head": (2, 2),
    "shoulder": (3, 4),
    "elbow": (7, 8),
    "wrist": (11, 12),
    "hip": (5, 6),
    "knee": (9, 10),
    "ankle": (13, 14),
}


@dataclass(frozen=True)
class JhmdbMatched(MatchedPeople):
    """N predicted people, each compared with the annotated person."""

    scoring: JhmdbScoring
    truth: Truth
    rows: Indices
    """[N] index into the predictions."""
    people: Indices
    """[N] index into the ground truth."""
    joints: Bool
    """[N, 4, 15]: found and counted in units of the person's size, then found and counted in units of the torso's."""

    def stats(self) -> Metrics:
        """Return the stats, fractions of 1; None for a joint that no person shows."""
        return jhmdb_stats(self.joints.sum(axis=0))

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.resample.columns import columns, sums

        resampled = sums(self.joints, self.predictions.image_ids[self.rows], draws)
        return columns([jhmdb_stats(joints) for joints in resampled])

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.jhmdb_pck.diagnosis import diagnose_jhmdb

        return diagnose_jhmdb(self, labels)


def match_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth) -> JhmdbMatched:
    """Return which keypoints of N people count and are found.

    Raises:
        RunError: Predictions are not finite, have other joints, or belong to people without annotation.
    """
    rows, people = match_people(predictions, truth.annotation_ids, NUM_JOINTS, truth.path)
    predicted = predictions.keypoints[rows]
    labelled = truth.keypoints[people, :, :2].astype(np.float32) - 1  # JHMDB counts pixels from 1
    visible = truth.keypoints[people, :, 2] != 0

    person_sizes = predictions.sizes[rows].max(axis=1)
    found = [
        joints
        for sizes in (person_sizes, torso_sizes(predicted, labelled, TORSO))
        for joints in find_joints(predicted, labelled, visible, sizes, scoring.threshold)
    ]
    return JhmdbMatched(predictions, scoring, truth, rows, people, np.stack(found, axis=1))


def jhmdb_stats(joints: Int64) -> Metrics:
    """Return PCK by the person's and by the torso's size: the mean over joints, then by joint.

    `joints` has the sums of `JhmdbMatched.joints` over people, [4, 15].
    """
    stats: Metrics = {}
    for name, (found, counted) in (("person", joints[:2]), ("torso", joints[2:])):
        by_joint = joint_pck(found, counted)
        stats[f"PCK({name})"] = optional(mean_over_joints(by_joint))
        for joint, (one, other) in JOINTS.items():
            stats[f"PCK({name}, {joint})"] = optional(0.5 * by_joint[one] + 0.5 * by_joint[other])
    return stats
