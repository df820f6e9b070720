"""Diagnosis of predictions on JHMDB."""

import numpy as np

from harness.arrays import Float64
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_distances, people_within_reach
from harness.metrics.families.jhmdb_pck.score import JhmdbMatched
from harness.metrics.family import Labels


def diagnose_jhmdb(matched: JhmdbMatched, labels: Labels) -> Diagnosis:
    """Diagnose predictions: a joint within PCK's threshold, a fraction of the box's longer side, counts as found."""
    predictions, rows, truth, found = matched.predictions, matched.rows, matched.truth, matched.people
    joints = truth.keypoints[found, :, :2] - 1  # JHMDB counts pixels from 1
    boxes = predictions.boxes[rows].astype(np.float64)
    sizes: Float64 = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    labelled = truth.keypoints[found, :, 2] != 0
    reach = matched.scoring.threshold * sizes
    people = people_within_reach(predictions, rows, truth.annotation_ids[found], joints, labelled, reach)
    return diagnose_distances("jhmdb-pck", predictions, rows, people, sizes, labels)
