"""NME, as MMPose computes it (`NME` in mmpose/evaluation/metrics/keypoint_2d_metrics.py and `keypoint_nme`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Float32, Float64, Indices, Int64
from harness.datasets.labelled import LabelledPeople
from harness.errors import RunError
from harness.metrics.families.nme.scoring import NmeScoring
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import normalised_distances
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws


@dataclass(frozen=True)
class NmeMatched:
    """N predicted people, each compared with the person who was annotated."""

    predictions: Predictions
    scoring: NmeScoring
    truth: LabelledPeople
    people: Indices
    """[N] index into the truth."""
    lengths: Float32
    """[N] px: what errors are measured by; 0 for somebody who does not count."""
    errors: Float32
    """[N, K] distance of each keypoint over this length; NaN where it does not count."""

    @property
    def image_ids(self) -> Int64:
        """The images of people who were predicted: NME does not count the others."""
        return np.unique(self.predictions.image_ids)

    def stats(self) -> Metrics:
        """Return the mean of all errors, a fraction; None where none counts, for which MMPose gives 0."""
        if self.scoring.mean == "people":
            totals, counts = self._by_person()
            return {"NME": float(totals.sum() / counts.sum()) if counts.any() else None}
        errors = self.errors.T  # keypoint after keypoint: the order decides how a sum in single precision rounds
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
        """Return what is wrong with the poses."""
        from harness.metrics.families.nme.diagnosis import diagnose_nme

        return diagnose_nme(self, labels)

    def _by_person(self) -> tuple[Float64, Float64]:
        """Return what each person adds to the total and to the number that it is divided by, [N] each."""
        totals, counts = np.nansum(self.errors.astype(np.float64), axis=1), (~np.isnan(self.errors)).sum(axis=1)
        if self.scoring.mean == "people":
            totals, counts = totals / np.maximum(counts, 1), counts.clip(max=1)
        return totals, counts.astype(np.float64)


def match_nme(predictions: Predictions, scoring: NmeScoring, truth: LabelledPeople) -> NmeMatched:
    """Measure the errors of N people's keypoints, somebody predicted twice twice, as MMPose does.

    The types are MMPose's: lengths and errors are single precision, differences have that of the predictions. The
    distance of two keypoints is measured whether they are labelled or not: one that is not is at 0, 0.

    Raises:
        RunError: Predictions that are not finite, of other keypoints, or of people who are not annotated.
    """
    found = predictions.keypoints.shape[1]
    if found != truth.keypoints.shape[1]:
        raise RunError(f"predictions: {found} keypoints a person, not {truth.keypoints.shape[1]}")
    if not np.isfinite(predictions.keypoints).all():
        raise RunError("predictions: keypoints are not finite", "a network that gives NaN has the wrong weights")
    if not len(predictions):
        raise RunError(f"predictions: there is nobody to score under {truth.path}")
    people = truth.places(predictions.person_ids)
    labelled = truth.keypoints[people]
    lengths = _lengths(predictions, scoring, labelled)
    counted = truth.visible[people] & (lengths != 0)[:, None]
    errors = normalised_distances(predictions.keypoints, labelled, lengths)
    errors[~counted] = np.nan
    return NmeMatched(predictions, scoring, truth, people, lengths, errors)


def _lengths(predictions: Predictions, scoring: NmeScoring, labelled: Float32) -> Float32:
    """Return what errors are measured by, [N] px, given the labelled keypoints [N, K, 2]."""
    if scoring.keypoint_indices is None:
        sides: Float32 = predictions.boxes[:, 2:] - predictions.boxes[:, :2]
        longer: Float32 = sides.max(axis=1)
        return longer
    one, other = scoring.keypoint_indices
    distances: Float32 = np.linalg.norm(labelled[:, one] - labelled[:, other], axis=1)
    return distances
