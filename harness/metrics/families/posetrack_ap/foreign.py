"""Scores predictions of another framework in PoseTrack18's format."""

import numpy as np

from harness.errors import ObtainError, counted
from harness.metrics.families.posetrack_ap.results import load_posetrack_results
from harness.metrics.families.posetrack_ap.score import match_posetrack
from harness.metrics.families.posetrack_ap.scoring import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import check_images, check_pixels, coverage, scored_poses


def score_sequences(file: ForeignFile[PoseTrackScoring]) -> ForeignOutcome:
    """Score poses unchanged, or after MMPose's rescoring and NMS if options select it.

    Raises:
        ObtainError: Files are missing, malformed, or do not cover the frames with people.
    """
    path, scoring = file.path, file.scoring
    truth = load_posetrack(file.source.file("sequences"))
    needs_scores = scoring.nms != "none" and scoring.score_mode != "keypoint"
    results = load_posetrack_results(path, needs_scores)
    check_images(path, results.image_ids, truth.image_ids, truth.path)
    missing = np.setdiff1d(truth.image_ids[truth.person_images], results.frames)
    if len(missing):
        lost = counted(len(missing), "frame with people is", "frames with people are")
        raise ObtainError(
            f"{path}: {lost} not among its 'images', such as {missing[0]}",
            f"use a file for each of the sequences in {truth.path}, with all their frames",
        )
    poses = scored_poses(results.image_ids, None, results.keypoints, results.scores)
    predicted = np.unique(results.image_ids)
    return ForeignOutcome(
        metrics=match_posetrack(poses, scoring, truth).stats(),
        warnings=(*results.warnings, *check_pixels(path, results.keypoints[..., :2], truth.joints)),
        coverage=coverage(
            truth.image_ids[truth.person_images[truth.annotated.any(axis=1)]],
            predicted,
            lambda: match_posetrack(poses, scoring, truth.restrict(predicted)).stats(),
        ),
    )
