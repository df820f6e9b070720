"""PCKh on MPII, as MMPose's MpiiPCKAccuracy computes it (mmpose/evaluation/metrics/keypoint_2d_metrics.py)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Indices, Int64, usable
from harness.errors import MALFORMED, ObtainError
from harness.files import read_json
from harness.mat_file import read_mat
from harness.metrics.pck import find_joints, joint_pck, match_people, optional
from harness.predictions import Predictions

NUM_JOINTS = 16
HEAD_BIAS = 0.6
"""MPII's SC_BIAS: the head's size is this part of the head box's diagonal."""
UNCOUNTED = [6, 7]
"""Pelvis and thorax do not count in the mean."""
JOINTS = {
    "head": (9,),
    "shoulder": (13, 12),
    "elbow": (14, 11),
    "wrist": (15, 10),
    "hip": (3, 2),
    "knee": (4, 1),
    "ankle": (5, 0),
}


@dataclass(frozen=True)
class MpiiTruth:
    """M annotated people; a person's id is the index in the annotation file."""

    path: Path
    """The annotation file, for messages."""
    joints: Float32
    """[M, 16, 2] x, y in image px, 1-based as in MPII."""
    visible: Bool
    """[M, 16]"""
    head_sizes: Float64
    """[M] px"""


def load_mpii(path: Path, headboxes: Path) -> MpiiTruth:
    """Read MMPose's mpii_val.json and MPII's mpii_gt_val.mat.

    Raises:
        ObtainError: A file is missing or malformed, or the two are not of the same people.
    """
    people = read_json(path, "the annotation file")
    if not isinstance(people, list) or not people or not all(isinstance(person, dict) for person in people):
        raise ObtainError(f"{path}: not MPII annotations: its top level is no list of objects")
    head_sizes = load_head_sizes(headboxes)
    if len(head_sizes) != len(people):
        raise ObtainError(f"{headboxes}: head boxes of {len(head_sizes)} people, but {path} has {len(people)}")
    return MpiiTruth(
        path=path,
        joints=_field(path, people, "joints", (NUM_JOINTS, 2)).astype(np.float32),
        visible=_field(path, people, "joints_vis", (NUM_JOINTS,)) != 0,
        head_sizes=head_sizes,
    )


def load_head_sizes(path: Path) -> Float64:
    """Read the head sizes, [M] px, from MPII's mpii_gt_val.mat.

    Raises:
        ObtainError: The file is missing or holds no head boxes.
    """
    corners = read_mat(path, "the head box file").get("headboxes_src")
    if corners is None or corners.shape[:2] != (2, 2) or corners.ndim != 3 or corners.dtype.kind not in "fiu":
        found = "absent" if corners is None else f"of shape {corners.shape} and type {corners.dtype}"
        raise ObtainError(f"{path}: 'headboxes_src' must be numbers of shape 2 x 2 x people; it is {found}")
    sizes: Float64 = np.linalg.norm(corners[1].astype(np.float64) - corners[0], axis=0) * HEAD_BIAS
    if not usable(sizes).all():
        raise ObtainError(f"{path}: 'headboxes_src' of {(~usable(sizes)).sum()} people is not finite")
    return sizes


def score_mpii(predictions: Predictions, truth: MpiiTruth) -> dict[str, float | None]:
    """Return PCKh@0.5 and PCKh@0.1 over 14 joints weighted by how often each is visible, then PCKh@0.5 by joint.

    Values are fractions of 1 (MMPose's are percent); None where nobody shows a joint.

    Raises:
        RunError: Predictions that are not finite, of other joints, or of people who are not annotated.
    """
    _, people = count_mpii(predictions, truth)
    return mpii_stats(people.sum(axis=0))


def count_mpii(predictions: Predictions, truth: MpiiTruth) -> tuple[Indices, Bool]:
    """Tell which keypoints of N people count and are found; raises as `score_mpii`.

    Returns:
        [N] whom of the predictions it is about, and [N, 4, 16]: found within 0.5 and within 0.1 head sizes, counted,
        and visible, which those of somebody without a head size are, too.
    """
    rows, people = match_people(predictions, np.arange(len(truth.joints)), NUM_JOINTS, truth.path)
    predicted = predictions.keypoints[rows] + 1  # MPII counts pixels from 1
    visible = truth.visible[people]
    (at_half, counted), (at_tenth, _) = (
        find_joints(predicted, truth.joints[people], visible, truth.head_sizes[people], threshold)
        for threshold in (0.5, 0.1)
    )
    return rows, np.stack([at_half, at_tenth, counted, visible], axis=1)


def mpii_stats(joints: Int64) -> dict[str, float | None]:
    """Return the stats from how many people's joints are found, count and are visible, [4, 16] as of `count_mpii`."""
    found_at_half, found_at_tenth, counted, visible = joints
    at_half = 100 * joint_pck(found_at_half, counted)
    at_tenth = (100 * joint_pck(found_at_tenth, counted)).astype(np.float32)  # as MMPose keeps the curve

    weights = visible.copy()
    weights[UNCOUNTED] = 0
    shares = weights / weights.sum() if weights.any() else np.full(NUM_JOINTS, np.nan)
    by_joint = {
        f"PCKh@0.5({name})": 0.5 * (at_half[joints[0]] + at_half[joints[-1]]) for name, joints in JOINTS.items()
    }
    percent = {"PCKh@0.5": _weighted(at_half, shares), "PCKh@0.1": _weighted(at_tenth, shares), **by_joint}
    return {name: optional(value / 100) for name, value in percent.items()}


def _weighted(values: Floating, shares: Float64) -> float:
    return float(np.where(shares == 0, 0, values * shares).sum())


def _field(path: Path, people: list[dict[str, Any]], field: str, shape: tuple[int, ...]) -> Float64:
    try:
        values = np.array([person[field] for person in people], np.float64)
    except MALFORMED as error:
        raise ObtainError(f"{path}: '{field}' is missing or malformed: {error!r}") from error
    if values.shape[1:] != shape or not usable(values).all():
        raise ObtainError(f"{path}: '{field}' must hold {' x '.join(map(str, shape))} finite numbers for each person")
    return values
