"""Scores a COCO results file of another framework."""

import numpy as np

from harness.metrics.detections import check_finite, load_results_json
from harness.metrics.families.oks.score import match_detections, match_oks
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Metrics
from harness.metrics.foreign import ForeignFile
from harness.metrics.foreign_poses import check_images, scored_poses
from harness.metrics.truth import load_truth


def score_results(file: ForeignFile[OksScoring]) -> Metrics:
    """Score poses as they are, or after MMPose's selection if options ask for it.

    Raises:
        ObtainError: The file or the annotations are missing, malformed or do not fit each other.
    """
    path, scoring, annotations = file.path, file.scoring, file.source.annotations
    areas = scoring.area == "annotation"
    truth = load_truth(annotations, file.protocol.num_keypoints, areas=areas, crowd=scoring.crowd)
    detections = load_results_json(path, file.protocol.num_keypoints)
    check_finite(path, "keypoints", detections.keypoints)
    check_finite(path, "score", detections.scores)
    check_images(path, detections.image_ids, truth.image_ids, annotations)
    boxes = detections.boxes
    if boxes is not None:
        check_finite(path, "bbox", boxes)
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    if scoring.score_mode == "bbox" and scoring.nms == "none":
        return match_detections(detections, scoring, truth).stats()
    poses = scored_poses(detections.image_ids, boxes, detections.keypoints, detections.scores)
    return match_oks(poses, scoring, truth, detections.categories).stats()
