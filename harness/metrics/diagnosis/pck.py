"""Diagnosis for metrics of distances on annotated boxes, such as PCK and NME: their common part."""

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64
from harness.metrics.diagnosis.circumstances import labelled_keypoints, size_in_thirds
from harness.metrics.diagnosis.findings import describe, find
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pairing import Pairs
from harness.metrics.diagnosis.people import AnnotatedPeople, spread_at_half
from harness.metrics.family import Labels
from harness.predictions import Predictions


def people_within_reach(
    predictions: Predictions, rows: Indices, ids: Int64, joints: Float64, labelled: Bool, reach: Float64
) -> AnnotatedPeople:
    """Return the people of some predictions; `reach`, [M] px, is the metric's threshold: people with 0 do not count."""
    labelled = labelled & (reach > 0)[:, None]
    return AnnotatedPeople(
        ids=ids,
        image_ids=predictions.image_ids[rows],
        keypoints=joints,
        labelled=labelled,
        hidden=None,
        spreads=np.repeat(spread_at_half(reach)[:, None], joints.shape[1], axis=1),
        boxes=predictions.boxes[rows].astype(np.float64),
        to_find=labelled.any(axis=1),
    )


def diagnose_distances(
    metric: str,
    predictions: Predictions,
    rows: Indices,
    people: AnnotatedPeople,
    sizes: Float64,
    labels: Labels,
) -> Diagnosis:
    """Diagnose N predictions, each of the person with its index in `people`; people are grouped by sizes, [N] px."""
    points = predictions.keypoints[rows].astype(np.float64)
    everybody = np.arange(len(rows))
    pairs = Pairs(everybody, everybody, people.mean_similarity(points, everybody))
    pose_of = np.where(people.to_find, everybody, -1)
    findings = find(points, people, pairs, pose_of, np.array(labels.mirror))
    groups = [size_in_thirds(sizes, people, "px"), labelled_keypoints(people)]
    return describe(metric, findings, labels, groups, points, pose_of)
