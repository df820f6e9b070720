"""PCK on JHMDB, as MMPose's JhmdbPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

import numpy as np

from harness.arrays import Float64
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring
from harness.score.pck import joint_pck, match_people, optional
from harness.score.truth import Truth

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


def score_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth) -> dict[str, float | None]:
    """Return PCK by the person's and by the torso's size: the mean over joints, then by joint.

    Values are fractions of 1; None where nobody shows a joint.

    Raises:
        RunError: Predictions that are not finite, of other joints, or of people who are not annotated.
    """
    rows, people = match_people(predictions, truth.annotation_ids, NUM_JOINTS, truth.path)
    predicted = predictions.keypoints[rows]
    labelled = truth.keypoints[people, :, :2].astype(np.float32) - 1  # JHMDB counts pixels from 1
    visible = truth.keypoints[people, :, 2] != 0

    boxes = predictions.boxes[rows]
    person_sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    torsos = labelled[:, TORSO[0]] - labelled[:, TORSO[1]]
    # One by one: MMPose takes the norm of single vectors, which NumPy computes in another way than that of rows.
    torso_sizes = np.array([np.linalg.norm(torso) for torso in torsos])
    if (torso_sizes < 1).any():
        # Where the labelled torso is shorter than a pixel, MMPose takes the predicted one.
        predicted_torsos = predicted[:, TORSO[0]] - predicted[:, TORSO[1]]
        predicted_sizes = np.array([np.linalg.norm(torso) for torso in predicted_torsos])
        torso_sizes = np.where(torso_sizes < 1, predicted_sizes, torso_sizes)

    stats: dict[str, float | None] = {}
    for name, sizes in (("person", person_sizes), ("torso", torso_sizes)):
        by_joint = joint_pck(predicted, labelled, visible, sizes, scoring.threshold)
        stats[f"PCK({name})"] = optional(_mean(by_joint))
        for joint, (one, other) in JOINTS.items():
            stats[f"PCK({name}, {joint})"] = optional(0.5 * by_joint[one] + 0.5 * by_joint[other])
    return stats


def _mean(by_joint: Float64) -> float:
    defined = by_joint[~np.isnan(by_joint)]
    return float(defined.mean()) if len(defined) else np.nan
