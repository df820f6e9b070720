"""Percentage of correct keypoints (PCK), the part that MPII and JHMDB share."""

from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float64, Floating, Indices, Int64
from harness.errors import RunError
from harness.predictions import Predictions


def find_joints(
    predicted: Floating, labelled: Floating, visible: Bool, sizes: Floating, threshold: float
) -> tuple[Bool, Bool]:
    """Tell which keypoints are found and which count, after mmpose/evaluation/functional/keypoint_eval.py.

    The types are MMPose's: distances are rounded to float32 and compared with the threshold in float32. MMPose
    overwrites sizes of 0 in its caller's array, so its second call counts those people as found; here they never count.

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        visible: [N, K] which joints count.
        sizes: [N] what distances are measured by, px.
        threshold: A keypoint is found when it is nearer than this many sizes.

    Returns:
        [N, K] each; what is found counts.
    """
    counted = visible & (sizes != 0)[:, None]
    offsets = (predicted - labelled) / np.where(sizes == 0, 1, sizes)[:, None, None]
    distances = np.linalg.norm(offsets, axis=-1).astype(np.float32)
    return counted & (distances < np.float32(threshold)), counted


def joint_pck(found: Int64, counted: Int64) -> Float64:
    """Return the share of keypoints that are found, from how many are found and count at each joint, [K] each.

    Returns:
        [K] fractions; NaN for a joint that nobody shows.
    """
    return np.divide(found, counted, out=np.full(len(counted), np.nan), where=counted > 0)


def match_people(
    predictions: Predictions, person_ids: Int64, num_keypoints: int, path: Path
) -> tuple[Indices, Indices]:
    """Return which prediction belongs to which annotated person; somebody predicted twice counts once.

    Raises:
        RunError: Predictions that are not finite, of another number of keypoints, or of people who are not annotated.
    """
    if predictions.keypoints.shape[1] != num_keypoints:
        raise RunError(f"predictions: {predictions.keypoints.shape[1]} keypoints a person, not {num_keypoints}")
    if not np.isfinite(predictions.keypoints).all():
        raise RunError("predictions: keypoints are not finite", "a network that gives NaN has the wrong weights")
    found, rows = np.unique(predictions.person_ids, return_index=True)
    strays = np.setdiff1d(found, person_ids)
    if len(strays):
        raise RunError(f"predictions of {len(strays)} people whom {path} does not have, such as {strays[0]}")
    if not len(found):
        raise RunError(f"predictions: there is nobody to score under {path}")
    order = np.argsort(person_ids, kind="stable")
    return rows, order[np.searchsorted(person_ids[order], found)]


def optional(value: float) -> float | None:
    """Return a metric's value; None where it is undefined."""
    return None if np.isnan(value) else float(value)
