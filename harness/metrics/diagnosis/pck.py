"""Diagnosis of predictions for ground-truth boxes, which are scored by distances: MPII and JHMDB."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64
from harness.metrics.diagnosis.circumstances import labelled_keypoints, size_in_thirds
from harness.metrics.diagnosis.findings import describe, find
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pairing import Pairs
from harness.metrics.diagnosis.people import AnnotatedPeople, spread_at_half
from harness.metrics.families.jhmdb_pck import score as jhmdb_pck
from harness.metrics.families.pckh import score as pckh
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.pck import match_people
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring

PCKH_THRESHOLD = 0.5


def diagnose_mpii(
    predictions: Predictions, truth: MpiiTruth, mirror: Sequence[int], names: Sequence[str], images: Mapping[int, str]
) -> Diagnosis:
    """Diagnose predictions that are scored by PCKh@0.5: up to half the head's size away counts as found.

    Pelvis and thorax, which the metric leaves out, are left out. A swap is with another person of the validation set;
    it has few of the people in its images.

    Args:
        predictions: Of 16 joints.
        truth: MPII's.
        mirror: [16] for each joint, the one that it becomes in a mirrored image.
        names: [16] of the joints.
        images: File names by image id.

    Raises:
        RunError: As `score_mpii`.
    """
    ids = np.arange(len(truth.joints))
    rows, found = match_people(predictions, ids, pckh.NUM_JOINTS, truth.path)
    counted = np.ones(pckh.NUM_JOINTS, bool)
    counted[pckh.UNCOUNTED] = False
    joints = truth.joints[found].astype(np.float64) - 1  # MPII counts pixels from 1
    sizes, labelled = truth.head_sizes[found], truth.visible[found] & counted
    people = _people(predictions, rows, ids[found], joints, labelled, PCKH_THRESHOLD * sizes)
    return _diagnose("pckh", predictions, rows, people, sizes, mirror, names, images)


def diagnose_jhmdb(
    predictions: Predictions,
    scoring: JhmdbScoring,
    truth: Truth,
    mirror: Sequence[int],
    names: Sequence[str],
    images: Mapping[int, str],
) -> Diagnosis:
    """Diagnose predictions that are scored by PCK: up to a share of the person's box's longer side counts as found.

    Args:
        predictions: Of 15 joints.
        scoring: The protocol's.
        truth: JHMDB's.
        mirror: [15] for each joint, the one that it becomes in a mirrored image.
        names: [15] of the joints.
        images: File names by image id.

    Raises:
        RunError: As `score_jhmdb`.
    """
    rows, found = match_people(predictions, truth.annotation_ids, jhmdb_pck.NUM_JOINTS, truth.path)
    joints = truth.keypoints[found, :, :2] - 1  # JHMDB counts pixels from 1
    boxes = predictions.boxes[rows].astype(np.float64)
    sizes: Float64 = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    labelled = truth.keypoints[found, :, 2] != 0
    people = _people(predictions, rows, truth.annotation_ids[found], joints, labelled, scoring.threshold * sizes)
    return _diagnose("jhmdb-pck", predictions, rows, people, sizes, mirror, names, images)


def _people(
    predictions: Predictions, rows: Indices, ids: Int64, joints: Float64, labelled: Bool, reach: Float64
) -> AnnotatedPeople:
    """Return the people of some predictions; `reach` [M] px is the metric's threshold, without which nobody counts."""
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


def _diagnose(
    metric: Literal["pckh", "jhmdb-pck"],
    predictions: Predictions,
    rows: Indices,
    people: AnnotatedPeople,
    sizes: Float64,
    mirror: Sequence[int],
    names: Sequence[str],
    images: Mapping[int, str],
) -> Diagnosis:
    points = predictions.keypoints[rows].astype(np.float64)
    everybody = np.arange(len(rows))
    pairs = Pairs(everybody, everybody, people.mean_similarity(points, everybody))
    pose_of = np.where(people.to_find, everybody, -1)
    findings = find(points, people, pairs, pose_of, np.array(mirror))
    groups = [size_in_thirds(sizes, people, "px"), labelled_keypoints(people)]
    return describe(metric, findings, names, groups, points, pose_of, images)
