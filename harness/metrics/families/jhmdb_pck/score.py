"""PCK on JHMDB, as MMPose's JhmdbPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64
from harness.metrics.pck import find_joints, joint_pck, match_people, optional
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring

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
    _, people = count_jhmdb(predictions, scoring, truth)
    return jhmdb_stats(people.sum(axis=0))


def count_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth) -> tuple[Indices, Bool]:
    """Tell which keypoints of N people count and are found; raises as `score_jhmdb`.

    Returns:
        [N] whom of the predictions it is about, and [N, 4, 15]: found and counted by the person's size, and the same by
        the torso's.
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

    found = [
        joints
        for sizes in (person_sizes, torso_sizes)
        for joints in find_joints(predicted, labelled, visible, sizes, scoring.threshold)
    ]
    return rows, np.stack(found, axis=1)


def jhmdb_stats(joints: Int64) -> dict[str, float | None]:
    """Return the stats from how many people's joints count and are found, [4, 15] as of `count_jhmdb`."""
    stats: dict[str, float | None] = {}
    for name, (found, counted) in (("person", joints[:2]), ("torso", joints[2:])):
        by_joint = joint_pck(found, counted)
        stats[f"PCK({name})"] = optional(_mean(by_joint))
        for joint, (one, other) in JOINTS.items():
            stats[f"PCK({name}, {joint})"] = optional(0.5 * by_joint[one] + 0.5 * by_joint[other])
    return stats


def _mean(by_joint: Float64) -> float:
    defined = by_joint[~np.isnan(by_joint)]
    return float(defined.mean()) if len(defined) else np.nan
