"""PCK, AUC and EPE, as MMPose computes them.

Source: mmpose/evaluation/metrics/keypoint_2d_metrics.py and mmpose/evaluation/functional/keypoint_eval.py. PCK and AUC
are computed for each labelled keypoint over all people, and are means over the keypoints; EPE is one mean over all
labelled keypoints of all people.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Indices, Int64
from harness.errors import RunError
from harness.metrics.families.pck.family import pck_name
from harness.metrics.families.pck.scoring import Norm, PckScoring
from harness.metrics.families.pck.truth import PckTruth
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import (
    MatchedPeople,
    find_joints,
    joint_pck,
    match_people,
    mean_over_joints,
    normalised_distances,
    optional,
    torso_sizes,
)
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws

TORSO = (4, 5)
"""The torso is between these keypoints in every data set: MMPose uses JHMDB's indices of shoulder and hip."""


@dataclass(frozen=True)
class PckMatched(MatchedPeople):
    """N predicted people, each compared with the annotated person."""

    scoring: PckScoring
    truth: PckTruth
    rows: Indices
    """[N] index into the predictions, in their order."""
    people: Indices
    """[N] index into the ground truth."""
    joints: Int64
    """[N, C, K]: for each norm of PCK whether a joint is found and whether it counts; then the number of AUC's
    thresholds at which it is found, and whether it is labelled."""
    errors: Float32
    """[N, K] distance from the labelled keypoint, px; infinite for a person without a pose."""

    @property
    def labelled(self) -> Bool:
        """Which keypoints are labelled, [N, K]."""
        return self.truth.labelled[self.people]

    def stats(self) -> Metrics:
        """Return PCK and AUC, fractions of 1, and EPE, px; None without labelled keypoints.

        EPE is also None if a person with labelled keypoints has no pose.
        """
        stats = pck_stats(self.joints.sum(axis=0), self.scoring)
        if self.scoring.epe:
            # Summed as in MMPose: in single precision, keypoint by keypoint.
            errors = self.errors.T[self.labelled.T]
            total = float(errors.sum())
            stats["EPE"] = total / len(errors) if len(errors) and np.isfinite(total) else None
        return stats

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.resample.columns import columns, sums

        images = self.predictions.image_ids[self.rows]
        resampled = columns([pck_stats(joints, self.scoring) for joints in sums(self.joints, images, draws)])
        if self.scoring.epe:
            of_unit = np.zeros((2, draws.counts.shape[1]))
            for total, values in zip(of_unit, (np.where(self.labelled, self.errors, 0), self.labelled), strict=True):
                np.add.at(total, draws.units_of(images), values.sum(axis=1, dtype=np.float64))
            errors, counted = of_unit @ draws.counts.T.astype(np.float64)
            resampled["EPE"] = np.divide(errors, counted, out=np.full(len(errors), np.nan), where=counted > 0)
        return resampled

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.pck.diagnosis import diagnose_pck

        return diagnose_pck(self, labels)


def match_pck(predictions: Predictions, scoring: PckScoring, truth: PckTruth, posed: Bool | None = None) -> PckMatched:
    """Return which keypoints of N people count and are found, and their errors.

    Args:
        predictions: Predictions of N people.
        scoring: The rules of scoring.
        truth: The annotated people.
        posed: [N] which people have a pose; no keypoint of the others is found. None if all have one.

    Raises:
        RunError: Predictions are not finite, have other keypoints, or belong to people without annotation.
    """
    rows, people = match_people(predictions, truth.ids, truth.keypoints.shape[1], truth.path)
    order = np.argsort(rows)
    rows, people = rows[order], people[order]
    predicted, keypoints, labelled = predictions.keypoints[rows], truth.keypoints[people], truth.labelled[people]
    columns: list[Bool | Int64] = []
    for norm in scoring.norms:
        assert scoring.threshold is not None, "PCK has norms and a threshold, or neither"
        sizes = norm_sizes(norm, predicted, truth, people)
        columns += find_joints(predicted, keypoints, labelled, sizes, scoring.threshold)
    columns += [_reached(predicted, keypoints, scoring) * labelled, labelled]
    joints = np.stack([column.astype(np.int64) for column in columns], axis=1)
    errors = normalised_distances(predicted, keypoints, np.ones(len(rows), np.float32))
    if posed is not None:
        missed = ~posed[rows]
        joints[missed, ::2] = 0
        errors[missed] = np.inf
    return PckMatched(predictions, scoring, truth, rows, people, joints, errors)


def norm_sizes(norm: Norm, predicted: Floating, truth: PckTruth, people: Indices) -> Floating:
    """Return the norms of the distances of N people, [N] px.

    Raises:
        RunError: The ground truth has no such size.
    """
    if norm == "bbox":
        boxes = truth.boxes[people]
        longer: Float32 = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        return longer
    if norm == "head":
        if truth.head_sizes is None:
            raise RunError(f"{truth.path}: no head sizes, which PCKh needs", "run again with the head boxes")
        return truth.head_sizes[people]
    if truth.keypoints.shape[1] <= max(TORSO):
        raise RunError(
            f"{truth.path}: {truth.keypoints.shape[1]} keypoints, but the torso is between keypoints 4 and 5",
            "use another norm_item of PCKAccuracy: bbox",
        )
    return torso_sizes(predicted, truth.keypoints[people], TORSO)


def _reached(predicted: Floating, keypoints: Floating, scoring: PckScoring) -> Int64:
    """Return the number of AUC's thresholds at which each keypoint is found, [N, K]; 0 without AUC."""
    if scoring.auc_norm is None or scoring.auc_thresholds is None:
        return np.zeros(predicted.shape[:2], np.int64)
    distances = normalised_distances(predicted, keypoints, np.full(len(predicted), scoring.auc_norm, np.float64))
    thresholds = (np.arange(scoring.auc_thresholds) / scoring.auc_thresholds).astype(np.float32)
    return len(thresholds) - np.searchsorted(thresholds, distances, side="right")


def pck_stats(joints: Int64, scoring: PckScoring) -> Metrics:
    """Return PCK by each norm, and AUC; `joints` has the sums over people of `PckMatched.joints`, [C, K]."""
    stats: Metrics = {}
    for place, norm in enumerate(scoring.norms):
        assert scoring.threshold is not None, "PCK has norms and a threshold, or neither"
        found, counted = joints[2 * place : 2 * place + 2]
        stats[pck_name(norm, scoring.threshold)] = optional(mean_over_joints(joint_pck(found, counted)))
    if scoring.auc_thresholds is not None:
        reached, labelled = joints[-2:]
        stats["AUC"] = optional(mean_over_joints(joint_pck(reached, scoring.auc_thresholds * labelled)))
    return stats
