"""Selects the poses that CocoMetric evaluates: each person once, rescored, after NMS.

Source: mmpose/evaluation/metrics/coco_metric.py.
"""

import numpy as np

from harness.arrays import Floating, Int64
from harness.errors import RunError, counted
from harness.metrics.detections import Detections
from harness.metrics.oks_nms import oks_nms, soft_oks_nms
from harness.metrics.pose_score import pose_scores
from harness.predictions import Predictions
from harness.protocol import PoseSelection


def select_detections(predictions: Predictions, scoring: PoseSelection, categories: Int64 | None = None) -> Detections:
    """Return the poses that CocoMetric writes to its results file: each person once, rescored, after NMS.

    Args:
        predictions: Predictions of N people.
        scoring: The rules of rescoring and NMS.
        categories: [N] categories of the predictions, if there are several.

    Raises:
        RunError: Predictions are not finite or have another number of keypoints.
    """
    check_num_keypoints("predictions", predictions.keypoints.shape[1], scoring)
    check_predictions(predictions)
    # By image and person. A person that occurs twice, since a distributed run pads its last batch, counts once.
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
    """Check that the number of keypoints is the number of sigmas; `what` names the poses in the RunError."""
    if count != len(scoring.sigmas):
        raise RunError(f"{what}: {count} keypoints a person, but the protocol has {len(scoring.sigmas)} sigmas")


def check_predictions(predictions: Predictions) -> None:
    """Check that all numbers of predictions are finite.

    Raises:
        RunError: A number is not finite.
    """
    for name in ("keypoints", "keypoint_scores", "boxes", "box_scores", "crop_areas"):
        check_finite(name, getattr(predictions, name))


def check_finite(what: str, values: Floating) -> None:
    """Check that values, [N, ...], are finite; `what` names them in the RunError."""
    broken = np.unique(np.nonzero(~np.isfinite(values))[0])
    if len(broken):
        raise RunError(
            f"predictions: the {what} of {counted(len(broken), 'person', 'people')} are not finite, "
            f"the first at index {broken[0]}",
            "a network that returns NaN has wrong weights or too low a precision",
        )
