"""Diagnosis of predictions that are scored by OKS."""

import numpy as np

from harness.arrays import Bool, Float32, Float64, positions
from harness.datasets.coco_file import read_coco
from harness.metrics.diagnosis import circumstances
from harness.metrics.diagnosis.circumstances import Circumstance
from harness.metrics.diagnosis.findings import describe, find
from harness.metrics.diagnosis.kinds import FOUND_SIMILARITY
from harness.metrics.diagnosis.model import Diagnosis, OksFigures
from harness.metrics.diagnosis.pairing import PAIRED_SIMILARITY, Pairs, count_poses, pair
from harness.metrics.diagnosis.people import AnnotatedPeople
from harness.metrics.families.oks.average_precision import (
    OKS_THRESHOLDS,
    best_of_each_cell,
    object_keypoint_similarity,
    person_areas,
)
from harness.metrics.families.oks.figures import average_precision, category_ap, corrections, curves, keypoint_ap
from harness.metrics.families.oks.score import OksMatched, match_detections
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Labels
from harness.metrics.same_image import same_image
from harness.metrics.truth import Truth


def diagnose_oks(matched: OksMatched, labels: Labels) -> Diagnosis:
    """Diagnose poses after rescoring and NMS."""
    matches, scoring, truth = matched.matches, matched.scoring, matched.truth
    evaluated, _ = best_of_each_cell(matched.detections, matched.image_ids, truth.all_categories)
    poses = matched.detections.take(evaluated)
    points = poses.keypoints[..., :2]
    sigmas = np.array(scoring.sigmas, np.float32)
    areas = person_areas(truth, by_box=scoring.area == "box")

    to_find = np.empty(len(truth.annotation_ids), bool)
    to_find[matches.people] = ~matches.person_ignored[0]
    people = _people(truth, areas, sigmas, to_find)
    pose_index, person_index = same_image(poses.image_ids, people.image_ids)
    if matches.categories > 1 and poses.categories is not None:
        same = poses.categories[pose_index] == truth.categories[person_index]
        pose_index, person_index = pose_index[same], person_index[same]
    oks = object_keypoint_similarity(points[pose_index], truth, person_index, areas, sigmas)
    pairs = Pairs(pose_index, person_index, oks)
    pose_of = pair(pairs, poses.image_ids, to_find, PAIRED_SIMILARITY)
    found = np.stack([pair(pairs, poses.image_ids, to_find, threshold) >= 0 for threshold in OKS_THRESHOLDS])
    missed = to_find & ~found[OKS_THRESHOLDS.tolist().index(FOUND_SIMILARITY)]
    findings = find(points, people, pairs, pose_of, np.array(labels.mirror), missed=missed, recall=found.mean(axis=0))

    ignored = pairs.most_similar(~to_find, len(poses)) >= PAIRED_SIMILARITY
    counts, background = count_poses(pairs, pose_of, to_find, ignored, poses.scores)
    figures = alone = None
    if to_find.any():
        alone = keypoint_ap(matches, findings, pose_of, ignored)
        best = pairs.most_similar(to_find, len(poses))
        figures = OksFigures(
            ap=average_precision(matches),
            corrected_ap={
                correction: average_precision(match_detections(corrected, scoring, truth).matches)
                for correction, corrected in corrections(poses, findings, pose_of, best, background)
            },
            curves=curves(matches),
        )
    return describe(
        "oks",
        findings,
        labels,
        [*_circumstances(people, areas, truth, scoring), *_categories(matched)],
        points,
        pose_of,
        poses=counts,
        keypoint_ap=alone,
        oks=figures,
    )


def _people(truth: Truth, areas: Float64, sigmas: Float32, to_find: Bool) -> AnnotatedPeople:
    visibility = truth.keypoints[..., 2]
    return AnnotatedPeople(
        ids=truth.annotation_ids,
        image_ids=truth.annotation_image_ids,
        keypoints=truth.keypoints[..., :2],
        labelled=visibility > 0,
        hidden=visibility == 1,
        spreads=2 * areas[:, None] * (2 * sigmas) ** 2,
        boxes=np.concatenate([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]], axis=1),
        to_find=to_find,
    )


def _categories(matched: OksMatched) -> list[Circumstance]:
    """Return the grouping by category, if there are several: the metrics are means over them."""
    truth = matched.truth
    ids, ap = truth.all_categories.tolist(), category_ap(matched.matches)
    if len(ids) == 1 or not ap:
        return []
    names = {one.id: one.name for one in read_coco(truth.path).categories or ()}
    return [circumstances.category(truth.categories, names, {ids[place]: value for place, value in ap.items()})]


def _circumstances(people: AnnotatedPeople, areas: Float64, truth: Truth, scoring: OksScoring) -> list[Circumstance]:
    hidden = truth.keypoints[..., 2] == 1
    by_size = (
        circumstances.size_by_area(areas)
        if scoring.area == "annotation"
        else circumstances.size_in_thirds(areas, people, "px²")
    )
    if scoring.crowd:
        images = positions(truth.image_ids, people.image_ids)
        by_crowd = circumstances.crowd_index(truth.crowd_indices[images])
    else:
        by_crowd = circumstances.crowding(people, ~truth.is_crowd)
    return [by_size, by_crowd, circumstances.labelled_keypoints(people), circumstances.hidden_keypoints(hidden)]
