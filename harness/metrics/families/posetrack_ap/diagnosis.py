"""Diagnosis of predictions on PoseTrack18, where the distance in head sizes decides whether a joint is correct."""

from dataclasses import replace

import numpy as np

from harness.arrays import positions
from harness.metrics.diagnosis.circumstances import crowding, labelled_keypoints, size_in_thirds
from harness.metrics.diagnosis.findings import describe, find
from harness.metrics.diagnosis.kinds import FOUND_SIMILARITY
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pairing import PAIRED_SIMILARITY, Pairs, count_poses, pair
from harness.metrics.diagnosis.people import AnnotatedPeople, extents, spread_at_half
from harness.metrics.families.posetrack_ap.score import COLUMNS, THRESHOLD, PoseTrackMatched
from harness.metrics.families.posetrack_ap.truth import in_regions
from harness.metrics.family import Labels
from harness.metrics.same_image import same_image


def diagnose_posetrack(matched: PoseTrackMatched, labels: Labels) -> Diagnosis:
    """Diagnose predictions after rescoring and NMS: a joint within half the head size counts as found.

    Poses are paired with people as for OKS, by the mean similarity of the joints, not by poseval's assignment.
    Therefore a pose without a person in poseval can have one here, and there is no AP of single joints. As in poseval,
    frames without annotated people do not count, nor do joints inside an ignore region, predicted or annotated; an
    unpaired pose with most of its joints there is ignored.
    """
    detections, truth = matched.detections, matched.truth
    annotated = np.flatnonzero(np.isin(detections.image_ids, truth.image_ids[truth.person_images]))
    # In the order of the ground truth's frames, which `in_regions` needs, and best first in each frame.
    frames = positions(truth.image_ids, detections.image_ids[annotated])
    order = np.lexsort((-detections.scores[annotated], frames))
    poses, frames = annotated[order], frames[order]
    image_ids, scores = detections.image_ids[poses], detections.scores[poses]
    keypoints = detections.keypoints[poses][:, COLUMNS]
    points = keypoints[..., :2]
    ignored = in_regions(truth.regions, frames, points)
    predicted = (keypoints != 0).any(axis=-1) & ~ignored

    spreads = spread_at_half(THRESHOLD * truth.head_sizes)
    people = AnnotatedPeople(
        ids=None,
        image_ids=truth.image_ids[truth.person_images],
        keypoints=truth.joints,
        labelled=truth.annotated,
        hidden=None,
        spreads=np.repeat(spreads[:, None], len(COLUMNS), axis=1),
        boxes=extents(truth.joints, truth.annotated),
        to_find=truth.annotated.any(axis=1),
    )
    counted = np.where(predicted[..., None], points, np.inf)
    pose_index, person_index = same_image(image_ids, people.image_ids)
    pairs = Pairs(pose_index, person_index, people.mean_similarity(counted[pose_index], person_index))
    pose_of = pair(pairs, image_ids, people.to_find, PAIRED_SIMILARITY)
    missed = people.to_find & (pair(pairs, image_ids, people.to_find, FOUND_SIMILARITY) < 0)
    counts, _ = count_poses(pairs, pose_of, people.to_find, ignored.mean(axis=1) > 0.5, scores)
    mirror_of_columns = np.array([COLUMNS.index(labels.mirror[column]) for column in COLUMNS])
    findings = find(counted, people, pairs, pose_of, mirror_of_columns, missed=missed)
    groups = [
        size_in_thirds(truth.head_sizes, people, "px"),
        crowding(people, people.to_find),
        labelled_keypoints(people),
    ]
    names = [labels.names[column] for column in COLUMNS]
    return describe("posetrack-ap", findings, replace(labels, names=names), groups, points, pose_of, poses=counts)
