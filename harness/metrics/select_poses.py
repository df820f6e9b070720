"""The poses that CocoMetric evaluates: people once each, rescored, after NMS.

Source: mmpose/evaluation/metrics/coco_metric.py.
"""

import numpy as np

from harness.arrays import Floating, Int64
from harness.errors import RunError
from harness.metrics.detections import Detections
from harness.metrics.oks_nms import oks_nms, soft_oks_nms
from harness.metrics.pose_score import pose_scores
from harness.predictions import Predictions
from harness.protocol import PoseSelection


def select_detections(predictions: Predictions, scoring: PoseSelection, categories: Int64 | None = None) -> Detections:
    """Return what CocoMetric writes to its results file: people once each, rescored, after NMS.

    Args:
        predictions: Of N people.
        scoring: How they are rescored.
        categories: [N] theirs, where there are several.

    Raises:
        RunError: Predictions that are not finite or of another number of keypoints.
    """
    check_num_keypoints("predictions", predictions.keypoints.shape[1], scoring)
    for name in ("keypoints", "keypoint_scores", "boxes", "box_scores", "crop_areas"):
        check_finite(name, getattr(predictions, name))
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
        categories=None if categories is None else categories[people][kept],
    )


def check_num_keypoints(what: str, count: int, scoring: PoseSelection) -> None:
    """Refuse poses of another number of keypoints than the scoring has sigmas; `what` has them, in the RunError."""
    if count != len(scoring.sigmas):
        raise RunError(f"{what}: {count} keypoints a person, but the protocol has {len(scoring.sigmas)} sigmas")


def check_finite(what: str, values: Floating) -> None:
    """Refuse values [N, ...] that are not finite numbers; `what` they are is in the RunError."""
    broken = np.unique(np.nonzero(~np.isfinite(values))[0])
    if len(broken):
        raise RunError(
            f"predictions: the {what} of {len(broken)} people are not finite, the first at index {broken[0]}",
            "a network that gives NaN has the wrong weights or precision",
        )
