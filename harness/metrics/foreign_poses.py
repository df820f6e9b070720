"""Predictions of other frameworks in the form in which ours are: what several families read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float32, Float64, Int64
from harness.errors import ObtainError
from harness.metrics.foreign import ForeignFile
from harness.metrics.keypoint_arrays import read_keypoints
from harness.predictions import Predictions


def check_images(path: Path, images: Int64, known: Int64, truth: Path) -> None:
    """Refuse poses in images that the truth does not have.

    Raises:
        ObtainError: Counts the images, and names the first.
    """
    strays = np.setdiff1d(images, known)
    if len(strays):
        raise ObtainError(f"{path}: poses in {len(strays)} images that {truth} does not have, such as {strays[0]}")


def scored_poses(image_ids: Int64, boxes: Float64 | None, keypoints: Float64, scores: Float64) -> Predictions:
    """Return poses with [N, K, 3] keypoints for rescoring and NMS, which MMPose does in single precision.

    A pose's scale in the NMS, which MMPose takes from the crop, is the area of its box, or of the extent of its
    keypoints, which is what MMPose takes where there is no crop.
    """
    points = keypoints[..., :2]
    if boxes is None:
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    unscored = as_predictions(np.arange(len(image_ids)), image_ids, boxes.astype(np.float32), points)
    return replace(unscored, box_scores=scores.astype(np.float32), keypoint_scores=keypoints[..., 2].astype(np.float32))


def as_predictions(person_ids: Int64, image_ids: Int64, boxes: Float32, keypoints: Float64) -> Predictions:
    """Return poses [N, K, 2] whose scores are all 1, of boxes [N, 4] x1, y1, x2, y2."""
    return Predictions(
        person_ids=person_ids,
        image_ids=image_ids,
        boxes=boxes,
        box_scores=np.ones(len(person_ids), np.float32),
        crop_areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2], np.float32),
    )


def read_people(file: ForeignFile[Any], count: int) -> Float64:
    """Return the keypoints [count, K, 2] of an array in the order of the annotations, px counted from 0.

    Raises:
        UsageError: Another kind of file, or several arrays that fit.
        ObtainError: There is no such array, or it cannot be read.
    """
    protocol = file.protocol
    return read_keypoints(file.path, (count, protocol.num_keypoints, 2), file.array) - protocol.one_based
