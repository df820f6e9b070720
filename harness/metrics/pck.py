"""Percentage of correct keypoints (PCK), the part that several families share."""

from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Indices, Int64
from harness.errors import RunError
from harness.predictions import Predictions


def normalised_distances(predicted: Floating, labelled: Floating, sizes: Floating) -> Float32:
    """Return distances over sizes, [N, K], after mmpose/evaluation/functional/keypoint_eval.py (`_calc_distances`).

    The types are MMPose's: what is divided has the precision of its operands, and is then rounded to float32. A size of
    0 or below counts as a million px, so every keypoint is near; MMPose does not count those of size 0 (see
    `find_joints`).

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        sizes: [N] what distances are measured by, px.
    """
    used = np.where(sizes <= 0, sizes.dtype.type(1e6), sizes)
    distances: Float32 = np.linalg.norm((predicted - labelled) / used[:, None, None], axis=-1).astype(np.float32)
    return distances


def find_joints(
    predicted: Floating, labelled: Floating, visible: Bool, sizes: Floating, threshold: float
) -> tuple[Bool, Bool]:
    """Tell which keypoints are found and which count, after mmpose/evaluation/functional/keypoint_eval.py.

    Distances are compared with the threshold in float32, as in MMPose. MMPose overwrites sizes of 0 in its caller's
    array, so its second call counts those people as found; here they never count.

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
    return counted & (normalised_distances(predicted, labelled, sizes) < np.float32(threshold)), counted


def torso_sizes(predicted: Floating, labelled: Floating, torso: tuple[int, int]) -> Floating:
    """Return the distances between two labelled joints, [N] px, or between the predicted ones where it is below 1 px.

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        torso: The two joints.
    """
    first, second = torso
    # One by one: MMPose takes the norm of single vectors, which NumPy computes in another way than that of rows.
    sizes = np.array([np.linalg.norm(one) for one in labelled[:, first] - labelled[:, second]])
    if (sizes < 1).any():
        others = np.array([np.linalg.norm(one) for one in predicted[:, first] - predicted[:, second]])
        sizes = np.where(sizes < 1, others, sizes)
    return sizes


def mean_over_joints(by_joint: Float64) -> float:
    """Return the mean of a value over the joints that have one, [K]; NaN where none has."""
    defined = by_joint[~np.isnan(by_joint)]
    return float(defined.mean()) if len(defined) else np.nan


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
