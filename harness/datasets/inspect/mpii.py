"""Inspects MPII's annotation file, a list of people, and the file with their head boxes."""

from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.people import Annotated
from harness.datasets.inspect.problems import OFFICIAL, Problems, chosen
from harness.datasets.mpii_file import NUM_JOINTS, MpiiFile
from harness.errors import ObtainError, counted
from harness.mat_file import read_mat

SAME = 0.5
"""px; joints with a smaller difference are equal, since the two files round differently."""
MMPOSE_FILES = "take mpii_val.json and mpii_gt_val.mat from MMPose's mpii_annotations.tar"


def inspect_mpii(file: str, people: MpiiFile, headboxes: tuple[str, Path] | None) -> Annotated:
    """Inspect mpii_val.json, and compare it with mpii_gt_val.mat.

    Args:
        file: The annotation file, for messages.
        people: Its content.
        headboxes: The file with the head boxes, if the metric reads it: its path in the data folder, and its full path.
    """
    problems = Problems(file)
    index = range(len(people))
    names = [str(name) for name in people.names]
    joints, visible = people.joints.shaped(NUM_JOINTS, 2), people.visible.shaped(NUM_JOINTS)
    for field, text, bad in (
        ("image", "not a number with an ending, such as 005808361.jpg", ~people.image_ids.known),
        ("center", "missing, or not x, y", np.isnan(people.centers.shaped(2)).any(axis=1)),
        ("scale", "missing, zero or negative", ~(people.scales.shaped() > 0)),
        ("joints", f"missing, or not {NUM_JOINTS} times x, y", np.isnan(joints).any(axis=(1, 2))),
        ("joints_vis", f"missing, or not {NUM_JOINTS} times 0 or 1", ~np.isin(visible, (0, 1)).all(axis=1)),
    ):
        problems.add("error", text, OFFICIAL, field=field, what="person", ids=chosen(index, bad))
    if headboxes:
        _compare(problems, joints, visible == 1, *headboxes)
    images = list(dict.fromkeys(names))
    listed = ImageList(
        tuple(range(len(images))), tuple(images), np.full((len(images), 2), np.nan), np.ones(len(images), bool)
    )
    return Annotated(listed, len(people), len(people), tuple(problems.found))


def _compare(problems: Problems, joints: Float64, visible: Bool, name: str, path: Path) -> None:
    """Compare the joints of the two files, both of which must count pixels from 1."""
    try:
        truth = _read(path)
    except ObtainError as error:
        problems.add("error", str(error), MMPOSE_FILES, file=name)
        return
    if len(truth) != len(joints):
        people = counted(len(joints), "person", "people")
        problems.add("error", f"{people}, but {name} has head boxes of {len(truth)}", MMPOSE_FILES)
        return
    differences = np.where(visible[..., None], joints - truth, np.nan)
    seen = np.isfinite(differences).any(axis=(1, 2))
    if not seen.any():
        return
    off = np.zeros(len(truth), bool)
    off[seen] = np.nanmedian(np.abs(differences[seen]), axis=(1, 2)) >= SAME
    if np.abs(np.nanmedian(differences) + 1) < SAME:
        problems.add(
            "error",
            f"counts pixels from 0: its joints are 1 less than in {name}, and MPII's must count from 1",
            "add 1 to joints and center, or " + MMPOSE_FILES,
            field="joints",
        )
    else:
        problems.add(
            "error" if off.sum() > seen.sum() / 2 else "warning",
            f"not the joints of the same person in {name}: the order or the people differ",
            MMPOSE_FILES,
            field="joints",
            what="person",
            ids=chosen(range(len(off)), off),
        )


def _read(path: Path) -> Float64:
    """Return the joints that the head boxes belong to, [M, 16, 2], px counted from 1.

    Raises:
        ObtainError: The file is missing, or does not have the structure of mpii_gt_val.mat.
    """
    if not path.is_file():
        raise ObtainError("missing: the head boxes, which PCKh needs")
    content = read_mat(path, "the head box file")
    absent = [name for name in ("headboxes_src", "pos_gt_src") if name not in content]
    if absent:
        raise ObtainError(f"it has no {' and no '.join(absent)}")
    points, heads = content["pos_gt_src"], content["headboxes_src"]
    if points.shape[:2] != (NUM_JOINTS, 2) or heads.shape != (2, 2, points.shape[-1]):
        raise ObtainError(f"'headboxes_src' has shape {heads.shape} and 'pos_gt_src' has {points.shape}")
    joints: Float64 = points.transpose(2, 0, 1).astype(np.float64)
    return joints
