"""NME, as MMPose computes it (`NME` in mmpose/evaluation/metrics/keypoint_2d_metrics.py and `keypoint_nme`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Indices
from harness.datasets.labelled import LabelledPeople
from harness.errors import RunError
from harness.metrics.families.nme.scoring import NmeScoring
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import MatchedPeople, normalised_distances
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws


@dataclass(frozen=True)
class NmeMatched(MatchedPeople):
    """N predicted people, each compared with the annotated person."""

    scoring: NmeScoring
    truth: LabelledPeople
    people: Indices
    """[N] index into the ground truth."""
    lengths: Floating
    """[N] px: the norm of each person's errors; 0 for a person that does not count."""
    errors: Float32
    """[N, K] distance of each keypoint divided by the norm; infinite for a person without a pose, NaN for a keypoint
    that does not count."""

    def stats(self) -> Metrics:
        """Return the mean of all errors, a fraction.

        None if a person that counts has no pose; or if no keypoint counts, for which MMPose returns 0.
        """
        if np.isinf(self.errors).any():
            return {"NME": None}
        if self.scoring.mean == "people":
            totals, counts = self._by_person()
            return {"NME": float(totals.sum() / counts.sum()) if counts.any() else None}
        errors = self.errors.T  # by keypoint, as in MMPose: the order decides how the sum in single precision rounds
        counted = errors[~np.isnan(errors)]
        return {"NME": float(counted.sum()) / len(counted) if len(counted) else None}

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return NME in every resample."""
        totals, counts = self._by_person()
        units, number = draws.units_of(self.predictions.image_ids), draws.counts.shape[1]
        total, count = (
            draws.counts.astype(np.float64) @ np.bincount(units, weights=weights, minlength=number)
            for weights in (totals, counts)
        )
        return {"NME": np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)}

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.nme.diagnosis import diagnose_nme

        return diagnose_nme(self, labels)

    def _by_person(self) -> tuple[Float64, Float64]:
        """Return each person's contribution to the total and to its divisor, [N] each."""
        totals, counts = np.nansum(self.errors.astype(np.float64), axis=1), (~np.isnan(self.errors)).sum(axis=1)
        if self.scoring.mean == "people":
            totals, counts = totals / np.maximum(counts, 1), counts.clip(max=1)
        return totals, counts.astype(np.float64)


def match_nme(
    predictions: Predictions, scoring: NmeScoring, truth: LabelledPeople, posed: Bool | None = None
) -> NmeMatched:
    """Return the errors of N people's keypoints; as in MMPose, a person that is predicted twice counts twice.

    The types are MMPose's: lengths and errors are single precision, differences have the type of the predictions. The
    distance of two keypoints is also measured if they are not labelled; such a keypoint is at 0, 0.

    Args:
        predictions: Predictions of N people.
        scoring: The rules of scoring.
        truth: The annotated people.
        posed: [N] which people have a pose; None if all have one.

    Raises:
        RunError: Predictions are not finite, have other keypoints, or belong to people without annotation.
    """
    found = predictions.keypoints.shape[1]
    if found != truth.keypoints.shape[1]:
        raise RunError(f"predictions: {found} keypoints a person, not {truth.keypoints.shape[1]}")
    if not np.isfinite(predictions.keypoints).all():
        raise RunError("predictions: keypoints are not finite", "a network that returns NaN has wrong weights")
    if not len(predictions):
        raise RunError(f"predictions: there are no people to score under {truth.path}")
    people = truth.places(predictions.person_ids)
    labelled = truth.keypoints[people]
    lengths = _lengths(predictions, scoring, labelled)
    counted = truth.visible[people] & (lengths != 0)[:, None]
    errors = normalised_distances(predictions.keypoints, labelled, lengths)
    if posed is not None:
        errors[~posed] = np.inf
    errors[~counted] = np.nan
    return NmeMatched(predictions, scoring, truth, people, lengths, errors)


def _lengths(predictions: Predictions, scoring: NmeScoring, labelled: Floating) -> Floating:
    """Return the norms of people's errors, [N] px, from the labelled keypoints [N, K, 2] or the boxes."""
    if scoring.keypoint_indices is None:
        longer: Float32 = predictions.sizes.max(axis=1)
        return longer
    one, other = scoring.keypoint_indices
    distances: Floating = np.linalg.norm(labelled[:, one] - labelled[:, other], axis=1)
    return distances
