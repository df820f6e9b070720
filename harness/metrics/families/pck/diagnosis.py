"""Diagnosis of predictions that are scored by PCK, AUC or EPE."""

import numpy as np

from harness.arrays import Float64
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_distances, people_within_reach
from harness.metrics.families.pck.score import PckMatched, norm_sizes
from harness.metrics.family import Labels

SHARE = 0.2
"""Without PCK and AUC, a keypoint within this fraction of the box's longer side counts as found, as for PCK@0.2."""


def diagnose_pck(matched: PckMatched, labels: Labels) -> Diagnosis:
    """Diagnose predictions: a keypoint within the threshold of PCK, or without PCK within AUC's px, counts as found."""
    predictions, truth, people = matched.predictions, matched.truth, matched.people
    sizes = norm_sizes("bbox", predictions.keypoints[matched.rows], truth, people).astype(np.float64)
    found = people_within_reach(
        predictions,
        matched.rows,
        truth.ids[people],
        truth.keypoints[people].astype(np.float64),
        matched.labelled,
        reach(matched, sizes),
    )
    return diagnose_distances("pck", predictions, matched.rows, found, sizes, labels)


def reach(matched: PckMatched, sizes: Float64) -> Float64:
    """Return the distances, [N] px, within which a keypoint is found; `sizes` are the boxes' longer sides."""
    scoring = matched.scoring
    if scoring.threshold is not None:
        predicted = matched.predictions.keypoints[matched.rows]
        norms = norm_sizes(scoring.norms[0], predicted, matched.truth, matched.people)
        return scoring.threshold * norms.astype(np.float64)
    if scoring.auc_norm is not None:
        return np.full(len(sizes), scoring.auc_norm)
    return SHARE * sizes
