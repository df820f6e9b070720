"""Percentage of correct keypoints (PCK): the part that several families share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Indices, Int64
from harness.errors import RunError, counted
from harness.predictions import Predictions

HEAD_BIAS = 0.6
"""MPII's SC_BIAS: the head size is this fraction of the head box's diagonal; also in PoseTrack18."""


@dataclass(frozen=True)
class MatchedPeople:
    """Predicted people, each compared with the annotated person."""

    predictions: Predictions

    @property
    def image_ids(self) -> Int64:
        """The images of predicted people, ascending: others do not count."""
        return np.unique(self.predictions.image_ids)


def normalised_distances(predicted: Floating, labelled: Floating, sizes: Floating) -> Float32:
    """Return distances divided by sizes, [N, K], as `_calc_distances` in mmpose/evaluation/functional/keypoint_eval.py.

    The types are MMPose's: the quotient has the precision of its operands, and is then rounded to float32. A size of 0
    or below counts as a million px, so that every keypoint is near; MMPose does not count people with size 0 (see
    `find_joints`).

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        sizes: [N] the norm of each person's distances, px.
    """
    used = np.where(sizes <= 0, sizes.dtype.type(1e6), sizes)
    distances: Float32 = np.linalg.norm((predicted - labelled) / used[:, None, None], axis=-1).astype(np.float32)
    return distances


def find_joints(
    predicted: Floating, labelled: Floating, visible: Bool, sizes: Floating, threshold: float
) -> tuple[Bool, Bool]:
    """Return which keypoints are found and which count, as in mmpose/evaluation/functional/keypoint_eval.py.

    Distances are compared with the threshold in float32, as in MMPose. MMPose overwrites sizes of 0 in its caller's
    array, so that its second call counts these people as found; here they never count.

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        visible: [N, K] which joints count.
        sizes: [N] the norm of each person's distances, px.
        threshold: A keypoint is found if its distance is below this many sizes.

    Returns:
        Which keypoints are found, and which count, [N, K] each; every found keypoint counts.
    """
    counted = visible & (sizes != 0)[:, None]
    return counted & (normalised_distances(predicted, labelled, sizes) < np.float32(threshold)), counted


def torso_sizes(predicted: Floating, labelled: Floating, torso: tuple[int, int]) -> Floating:
    """Return the distances between two labelled joints, [N] px; below 1 px, the distance of the predicted joints.

    Args:
        predicted: [N, K, 2] px
        labelled: [N, K, 2] px
        torso: The two joints.
    """
    first, second = torso
    # One by one: MMPose computes the norms of single vectors, which NumPy rounds differently from norms of rows.
    sizes = np.array([np.linalg.norm(one) for one in labelled[:, first] - labelled[:, second]])
    if (sizes < 1).any():
        others = np.array([np.linalg.norm(one) for one in predicted[:, first] - predicted[:, second]])
        sizes = np.where(sizes < 1, others, sizes)
    return sizes


def mean_over_joints(by_joint: Float64) -> float:
    """Return the mean of the joints' defined values, [K]; NaN if none is defined."""
    defined = by_joint[~np.isnan(by_joint)]
    return float(defined.mean()) if len(defined) else np.nan


def joint_pck(found: Int64, counted: Int64) -> Float64:
    """Return the fraction of found keypoints of each joint, [K]; NaN for a joint that does not count in any person.

    Args:
        found: [K] number of people in which the joint is found.
        counted: [K] number of people in which the joint counts.
    """
    return np.divide(found, counted, out=np.full(len(counted), np.nan), where=counted > 0)


def match_people(
    predictions: Predictions, person_ids: Int64, num_keypoints: int, path: Path
) -> tuple[Indices, Indices]:
    """Return the indices of predictions, and of the annotated person of each; a person predicted twice counts once.

    Raises:
        RunError: Predictions are not finite, have another number of keypoints, or belong to people without annotation.
    """
    if predictions.keypoints.shape[1] != num_keypoints:
        raise RunError(f"predictions: {predictions.keypoints.shape[1]} keypoints a person, not {num_keypoints}")
    if not np.isfinite(predictions.keypoints).all():
        raise RunError("predictions: keypoints are not finite", "a network that returns NaN has wrong weights")
    found, rows = np.unique(predictions.person_ids, return_index=True)
    strays = np.setdiff1d(found, person_ids)
    if len(strays):
        raise RunError(
            f"predictions of {counted(len(strays), 'person', 'people')} that {path} does not have, such as {strays[0]}"
        )
    if not len(found):
        raise RunError(f"predictions: there are no people to score under {path}")
    order = np.argsort(person_ids, kind="stable")
    return rows, order[np.searchsorted(person_ids[order], found)]


def optional(value: float) -> float | None:
    """Return a metric's value; None if it is NaN, that is undefined."""
    return None if np.isnan(value) else float(value)
