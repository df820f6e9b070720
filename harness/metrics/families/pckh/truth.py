"""Ground truth of MPII: joints, and head sizes, which are the norm of distances."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32, Float64, usable, what_is_unusable
from harness.datasets.columns import Numbers
from harness.datasets.mpii_file import NUM_JOINTS, read_mpii
from harness.errors import ObtainError, counted
from harness.mat_file import read_mat
from harness.metrics.pck import HEAD_BIAS


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
        ObtainError: A file is missing or malformed, or the two have different numbers of people.
    """
    people = read_mpii(path)
    if not len(people):
        raise ObtainError(f"{path}: not MPII annotations: it has no people")
    head_sizes = load_head_sizes(headboxes)
    if len(head_sizes) != len(people):
        had = counted(len(head_sizes), "person", "people")
        raise ObtainError(f"{headboxes}: head boxes of {had}, but {path} has {len(people)}")
    joints = _required(path, "joints", people.joints, f"{NUM_JOINTS} x 2")
    return MpiiTruth(
        path=path,
        joints=joints.reshape(-1, NUM_JOINTS, 2).astype(np.float32),
        visible=_required(path, "joints_vis", people.visible, f"{NUM_JOINTS}") != 0,
        head_sizes=head_sizes,
    )


def _required(path: Path, field: str, column: Numbers, count: str) -> Float64:
    good = column.known & usable(column.values).all(axis=1)
    if not good.all():
        person = int(good.argmin())
        raise ObtainError(f"{path}: '{field}' must hold {count} finite numbers; that of person {person} does not")
    return column.values


def load_head_sizes(path: Path) -> Float64:
    """Return the head sizes, [M] px, from MPII's mpii_gt_val.mat.

    Raises:
        ObtainError: The file is missing or does not contain head boxes.
    """
    corners = read_mat(path, "the head box file").get("headboxes_src")
    if corners is None or corners.shape[:2] != (2, 2) or corners.ndim != 3 or corners.dtype.kind not in "fiu":
        found = "absent" if corners is None else f"of shape {corners.shape} and type {corners.dtype}"
        raise ObtainError(f"{path}: 'headboxes_src' must be numbers of shape 2 x 2 x people; it is {found}")
    sizes: Float64 = np.linalg.norm(corners[1].astype(np.float64) - corners[0], axis=0) * HEAD_BIAS
    if not usable(sizes).all():
        people = counted(int((~usable(sizes)).sum()), "person", "people")
        raise ObtainError(f"{path}: 'headboxes_src' of {people} is {what_is_unusable(sizes)}")
    return sizes
