"""Diagnosis of predictions that are scored by NME."""

import warnings

import numpy as np

from harness.arrays import Float64
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_distances, people_within_reach
from harness.metrics.families.nme.score import NmeMatched
from harness.metrics.family import Labels

REACH = {"keypoint_distance": 0.1, "bbox_size": 0.05}
"""Largest error, in units of NME's norm, of a keypoint that counts as found. In WFLW's paper (Wu et al., CVPR 2018,
section 4.1), a face fails if its mean error is above 0.1 of the distance of the outer eye corners. The boxes of AFLW,
which are its norm, are about twice as wide as this distance."""


def diagnose_nme(matched: NmeMatched, labels: Labels) -> Diagnosis:
    """Diagnose predictions: keypoints within REACH count as found; a keypoint's error is its mean normalised error."""
    predictions, truth, found = matched.predictions, matched.truth, matched.people
    sizes = matched.lengths.astype(np.float64)
    people = people_within_reach(
        predictions,
        np.arange(len(found)),
        truth.ids[found],
        truth.keypoints[found].astype(np.float64),
        truth.visible[found],
        REACH[matched.scoring.norm] * sizes,
    )
    diagnosis = diagnose_distances("nme", predictions, np.arange(len(found)), people, sizes, labels)
    means = _means(matched.errors.astype(np.float64))
    keypoints = (
        keypoint.model_copy(update={"error": None if np.isnan(mean) else float(mean)})
        for keypoint, mean in zip(diagnosis.keypoints, means, strict=True)
    )
    return diagnosis.model_copy(update={"keypoints": tuple(keypoints)})


def _means(errors: Float64) -> Float64:
    """Return the mean error of each keypoint, [K]; NaN for a keypoint without labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # raised for a keypoint without errors
        means: Float64 = np.nanmean(errors, axis=0)
    return means
