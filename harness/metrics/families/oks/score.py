"""OKS-based AP and AR of predictions, as MMPose's CocoMetric computes them, without MMPose."""

import numpy as np

from harness.arrays import Floating
from harness.errors import RunError
from harness.metrics.detections import Detections
from harness.metrics.families.oks.average_precision import Matches, accumulate, coco_stats, crowdpose_stats, match
from harness.metrics.oks_nms import oks_nms, soft_oks_nms
from harness.metrics.pose_score import pose_scores
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import OksScoring, PoseSelection


def score_oks(predictions: Predictions, scoring: OksScoring, truth: Truth) -> dict[str, float | None]:
    """Score predictions: rescore, suppress duplicates, evaluate.

    Returns:
        COCO's ten stats, or CrowdPose's nine, as fractions of 1, in the order in which MMPose prints them. None where a
        stat is undefined because there is nobody to be found.

    Raises:
        RunError: Predictions that are not finite, of another number of keypoints, or in images that the truth lacks.
    """
    return score_detections(select_detections(predictions, scoring), scoring, truth)


def score_detections(detections: Detections, scoring: OksScoring, truth: Truth) -> dict[str, float | None]:
    """Score poses that are ready for evaluation, such as those of a results file; as `score_oks`, without NMS."""
    matches = match_detections(detections, scoring, truth)
    stats = crowdpose_stats(matches, truth) if scoring.crowd else coco_stats(accumulate(matches))
    return {name: None if value == -1 else value for name, value in stats.items()}


def match_detections(detections: Detections, scoring: OksScoring, truth: Truth) -> Matches:
    """Match poses to people by the protocol's rules; raises as `score_oks`."""
    _check_finite("keypoints", detections.keypoints)
    _check_finite("scores", detections.scores)
    if detections.boxes is not None:
        _check_finite("boxes", detections.boxes)
    _check_num_keypoints("predictions", detections.keypoints.shape[1], scoring)
    _check_num_keypoints(f"{truth.path}", truth.keypoints.shape[1], scoring)
    if scoring.area == "annotation" and np.isnan(truth.areas).any():
        raise RunError(f"{truth.path}: the protocol needs the 'area' of every annotation")
    if scoring.crowd and (np.isnan(truth.crowd_indices).any() or (truth.num_keypoints < 0).any()):
        raise RunError(f"{truth.path}: the protocol needs 'crowdIndex' and 'num_keypoints' (CrowdPose)")
    strays = np.setdiff1d(detections.image_ids, truth.image_ids)
    if len(strays):
        raise RunError(
            f"predictions in {len(strays)} images that {truth.path} does not have, such as {strays[0]}",
            "score a partial run with the truth of all its images",
        )
    return match(
        detections, truth, np.array(scoring.sigmas, np.float32), box_area=scoring.area == "box", crowd=scoring.crowd
    )


def select_detections(predictions: Predictions, scoring: PoseSelection) -> Detections:
    """Return what CocoMetric writes to its results file: people once each, rescored, after NMS.

    Raises:
        RunError: Predictions that are not finite or of another number of keypoints.
    """
    _check_num_keypoints("predictions", predictions.keypoints.shape[1], scoring)
    for name in ("keypoints", "keypoint_scores", "boxes", "box_scores", "crop_areas"):
        _check_finite(name, getattr(predictions, name))
    # By image and person. A person that is there twice, as a distributed run pads its last batch, counts once.
    people = np.lexsort((predictions.person_ids, predictions.image_ids))
    identity = np.stack([predictions.image_ids[people], predictions.person_ids[people]], axis=1)
    first = np.ones(len(people), bool)
    first[1:] = (identity[1:] != identity[:-1]).any(axis=1)
    people = people[first]

    image_ids = predictions.image_ids[people]
    keypoints = predictions.keypoints[people]
    keypoint_scores = predictions.keypoint_scores[people]
    scores = pose_scores(
        predictions.box_scores[people], keypoint_scores, scoring.score_mode, scoring.keypoint_score_threshold
    )
    if scoring.nms == "none":
        kept = np.arange(len(people))
    else:
        suppress = oks_nms if scoring.nms == "oks" else soft_oks_nms
        sigmas = np.array(scoring.sigmas, np.float32)
        kept = suppress(image_ids, keypoints, scores, predictions.crop_areas[people], sigmas, scoring.nms_threshold)
    boxes = predictions.boxes[people][kept]
    # Width and height are rounded to the boxes' single precision, their product (in the evaluation) is not.
    boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return Detections(
        image_ids=image_ids[kept],
        keypoints=np.concatenate([keypoints, keypoint_scores[..., None]], axis=-1)[kept].astype(np.float64),
        scores=scores[kept].astype(np.float64),
        boxes=boxes.astype(np.float64),
    )


def _check_num_keypoints(what: str, count: int, scoring: PoseSelection) -> None:
    if count != len(scoring.sigmas):
        raise RunError(f"{what}: {count} keypoints a person, but the protocol has {len(scoring.sigmas)} sigmas")


def _check_finite(what: str, values: Floating) -> None:
    broken = np.unique(np.nonzero(~np.isfinite(values))[0])
    if len(broken):
        raise RunError(
            f"predictions: the {what} of {len(broken)} people are not finite, the first at index {broken[0]}",
            "a network that gives NaN has the wrong weights or precision",
        )
