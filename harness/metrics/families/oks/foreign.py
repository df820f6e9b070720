"""Scores a COCO results file of another framework."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol as Interface

import numpy as np

from harness.arrays import Int64
from harness.datasets.coco_file import read_coco
from harness.datasets.columns import Numbers
from harness.errors import ObtainError, brief
from harness.metrics.coco_results import CocoResults, load_results
from harness.metrics.detections import Detections
from harness.metrics.families.oks.average_precision import Matches
from harness.metrics.families.oks.score import OksMatched, match_detections, match_oks
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Matched
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import check_images, check_pixels, coverage, scored_poses
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions


class MatchedPoses(Matched, Interface):
    """Poses matched with people by OKS."""

    @property
    def matches(self) -> Matches:
        """The matches of poses with people."""


def score_results(file: ForeignFile[OksScoring]) -> ForeignOutcome:
    """Score poses unchanged, or after MMPose's rescoring and NMS if options select it.

    Raises:
        ObtainError: The file or the annotations are missing, malformed or do not match each other.
    """
    scoring, annotations = file.scoring, file.source.annotations
    areas = scoring.area == "annotation"
    truth = load_truth(annotations, file.protocol.num_keypoints, areas=areas, crowd=scoring.crowd)
    results = load_results(file.path, file.protocol.num_keypoints)
    annotated = read_coco(annotations).annotations.categories
    return score_poses(file.path, results, truth, annotated, lambda poses, truth: _match(poses, scoring, truth))


def score_poses(
    path: Path,
    results: CocoResults,
    truth: Truth,
    annotated: Numbers,
    match: Callable[[Detections, Truth], MatchedPoses],
) -> ForeignOutcome:
    """Score the poses of a results file.

    Args:
        path: The file, for messages.
        results: The content of the file.
        truth: The ground truth.
        annotated: `category_id` of the annotations.
        match: Matches poses with people.

    Raises:
        ObtainError: Poses and annotations do not match each other.
    """
    detections = results.detections
    check_images(path, detections.image_ids, truth.image_ids, truth.path)
    _check_categories(path, detections, truth)
    warnings = check_pixels(path, detections.keypoints[..., :2], truth.keypoints[..., :2])
    matched = match(detections, truth)
    predicted = np.unique(detections.image_ids)
    return ForeignOutcome(
        metrics=matched.stats(),
        warnings=(*results.warnings, *_category(results, annotated), *warnings, *_dropped(detections)),
        coverage=coverage(
            _people_images(matched), predicted, lambda: match(detections, truth.restrict(predicted)).stats()
        ),
    )


def _check_categories(path: Path, detections: Detections, truth: Truth) -> None:
    found = detections.categories
    if found is not None and len(np.unique(found)) > 1 and len(truth.all_categories) == 1:
        odd = int((found != found[0]).argmax())
        raise ObtainError(
            f"{path}: results of several 'category_id': {found[0]} in entry 0, {found[odd]} in entry {odd}",
            "keep the entries of people only, or write the same category for all of them",
        )
    species = truth.all_categories
    if len(species) > 1 and len(detections) and (found is None or not np.isin(found, species).any()):
        stated = "no entry has a 'category_id'" if found is None else f"no 'category_id' of {found[0]} is annotated"
        listed = ", ".join(map(str, species[:3].tolist()))
        raise ObtainError(
            f"{path}: {stated}; the annotations have {len(species)}, each evaluated alone: {listed} ...",
            "write in each entry the category_id of the annotation that the pose belongs to",
        )


def _match(detections: Detections, scoring: OksScoring, truth: Truth) -> OksMatched:
    if scoring.score_mode == "bbox" and scoring.nms == "none":
        return match_detections(detections, scoring, truth)
    return match_oks(unscored(detections), scoring, truth, detections.categories)


def unscored(detections: Detections) -> Predictions:
    """Return poses as predictions, for rescoring and NMS."""
    boxes = detections.boxes
    if boxes is not None:
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return scored_poses(detections.image_ids, boxes, detections.keypoints, detections.scores)


def _people_images(matched: MatchedPoses) -> Int64:
    """Return the image of each person to find."""
    matches = matched.matches
    images: Int64 = matches.image_ids[matches.person_images[~matches.person_ignored[0]]]
    return images


def _category(results: CocoResults, annotated: Numbers) -> Iterator[str]:
    found, right = results.category_id, annotated.values[0]
    if len(np.unique(annotated.values)) > 1:
        categories = results.detections.categories
        strays = np.zeros(0, bool) if categories is None else ~np.isin(categories, annotated.values)
        if strays.any():
            yield (
                f"{strays.sum()} of {len(strays)} poses do not count, the first is entry {int(strays.argmax())}: no "
                "annotation has their 'category_id'; write that of the annotation that the pose belongs to"
            )
        return
    if annotated.known[0] and found is not None and found != right:
        yield (
            f"'category_id' is {brief(found)} in every entry, but {right:g} in the annotations; the poses are scored "
            f"here, but pycocotools ignores them: write {right:g}"
        )


def _dropped(detections: Detections) -> Iterator[str]:
    dropped = ~(detections.keypoints[..., 2] > 0).any(axis=1)
    if dropped.any():
        yield (
            f"{dropped.sum()} of {len(dropped)} poses do not count, the first is entry {int(dropped.argmax())}: none "
            "of their third numbers, the scores of keypoints, is above 0, and MMPose's evaluator (xtcocotools), unlike "
            "pycocotools, drops such poses. Write scores above 0 (the sigmoid of logits), or 1 for all"
        )
