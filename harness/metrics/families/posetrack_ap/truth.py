"""Ground truth of PoseTrack18, which has a file for each video sequence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, usable, what_is_unusable
from harness.datasets.posetrack_files import SequenceAnnotations, read_posetrack
from harness.errors import MALFORMED, ObtainError, counted
from harness.metrics.detections import are_numbers
from harness.metrics.pck import HEAD_BIAS

Regions = tuple[Float64, ...]
"""Polygons, [V, 2] x, y each."""

JOINTS = (
    "nose",
    "head_bottom",
    "head_top",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""The evaluated joints: PoseTrack18's keypoints without the ears, which it does not annotate."""


@dataclass(frozen=True)
class PoseTrackTruth:
    """I frames and M annotated people."""

    path: Path
    """The folder of the sequences, for messages."""
    image_ids: Int64
    """[I] sorted by file name, then in file order, each once."""
    regions: tuple[Regions, ...]
    """[I] ignore regions, where people are not annotated."""
    person_images: Indices
    """[M] index into image_ids, ascending; within a frame, people are in file order."""
    joints: Float64
    """[M, 15, 2] x, y in image px."""
    annotated: Bool
    """[M, 15] which joints count: annotated, and not inside an ignore region."""
    head_sizes: Float64
    """[M] px"""

    def restrict(self, image_ids: Iterable[int]) -> "PoseTrackTruth":
        """Return the ground truth of some frames only, for a partial run.

        Raises:
            ObtainError: A frame does not exist.
        """
        wanted = np.unique(np.fromiter(image_ids, np.int64))
        unknown = np.setdiff1d(wanted, self.image_ids)
        if len(unknown):
            raise ObtainError(f"{self.path}: none of its files has an image {unknown[0]}")
        images = np.isin(self.image_ids, wanted)
        people = images[self.person_images]
        return replace(
            self,
            image_ids=self.image_ids[images],
            regions=tuple(self.regions[index] for index in np.flatnonzero(images)),
            person_images=(np.cumsum(images) - 1)[self.person_images[people]],
            joints=self.joints[people],
            annotated=self.annotated[people],
            head_sizes=self.head_sizes[people],
        )


def load_posetrack(folder: Path) -> PoseTrackTruth:
    """Read the per-sequence annotation files of PoseTrack18 (`annotations/val`).

    Raises:
        ObtainError: There are no files, or a file is malformed or lacks a field; the message names it.
    """
    files = read_posetrack(folder)
    if not files:
        raise ObtainError(
            f"the per-sequence ground truth is missing: no *.json in {folder}",
            "put PoseTrack18's annotations/val there; posetrack18_val.json alone is not enough",
        )
    sequences = [_sequence_truth(folder / file.name, file.read()) for file in files]
    image_ids = np.concatenate([sequence.image_ids for sequence in sequences])
    if len(np.unique(image_ids)) != len(image_ids):
        shared = counted(len(image_ids) - len(np.unique(image_ids)), "image")
        raise ObtainError(f"{folder}: its files have {shared} in common")
    offsets = np.cumsum([0, *(len(sequence.image_ids) for sequence in sequences)])
    truth = PoseTrackTruth(
        path=folder,
        image_ids=image_ids,
        regions=tuple(regions for sequence in sequences for regions in sequence.regions),
        person_images=np.concatenate(
            [sequence.person_images + offset for sequence, offset in zip(sequences, offsets, strict=False)]
        ),
        joints=np.concatenate([sequence.joints for sequence in sequences]),
        annotated=np.concatenate([sequence.annotated for sequence in sequences]),
        head_sizes=np.concatenate([sequence.head_sizes for sequence in sequences]),
    )
    if not truth.annotated.any():
        raise ObtainError(
            f"{folder}: no person is annotated", "use the validation sequences: test sequences have no ground truth"
        )
    return truth


def in_regions(regions: Sequence[Regions], images: Indices, joints: Float64) -> Bool:
    """Return which joints are strictly inside an ignore region of their frame.

    Args:
        regions: The ignore regions of every frame.
        images: [N] each person's frame, ascending.
        joints: [N, J, 2] px

    Returns:
        [N, J]
    """
    inside = np.zeros(joints.shape[:2], bool)
    bounds = np.searchsorted(images, np.arange(len(regions) + 1))
    for polygons, start, stop in zip(regions, bounds[:-1], bounds[1:], strict=True):
        people = joints[start:stop].reshape(-1, 2)
        found = inside[start:stop].reshape(-1)
        for polygon in polygons if len(people) else ():
            near = np.flatnonzero(((people > polygon.min(axis=0)) & (people < polygon.max(axis=0))).all(axis=1))
            if len(near):
                found[near] |= _strictly_inside(people[near], polygon)
    return inside


def _strictly_inside(points: Float64, polygon: Float64) -> Bool:
    """Return which of P points are inside by the even-odd rule, [P]; a point on an edge is not."""
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    crossed = ((y1 > y) != (y2 > y)) & ((side > 0) == (y2 > y1))
    within = (
        (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2)) & (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    )
    on_edge = ((side == 0) & within).any(axis=1)
    inside: Bool = (crossed.sum(axis=1) % 2 == 1) & ~on_edge
    return inside


def _sequence_truth(path: Path, sequence: SequenceAnnotations) -> PoseTrackTruth:
    image_ids, people, names = sequence.image_ids, sequence.person_images, sequence.keypoint_names
    if image_ids.odd:
        raise _not_of_its_form(path, f"images[{min(image_ids.odd)}] has no id, a whole number")
    if names is None:
        raise _not_of_its_form(path, "`categories` does not name the keypoints")
    absent = [joint for joint in JOINTS if joint not in names]
    if absent:
        raise _not_of_its_form(path, f"'{absent[0]}' is not among the keypoints of `categories`")
    position = {image: index for index, image in enumerate(image_ids.values.tolist())}
    frames = np.array([position.get(image, -1) for image in people.values.tolist()], np.intp)
    for field, good in (
        ("image_id", people.known & (frames >= 0)),
        ("keypoints", sequence.keypoints.known & (sequence.keypoints.values.shape[1] == 3 * len(names))),
        ("bbox_head", sequence.heads.known),
    ):
        if not good.all():
            raise _not_of_its_form(path, f"'{field}' of annotations[{int(good.argmin())}] is missing or malformed")
    for field, column in (("keypoints", sequence.keypoints), ("bbox_head", sequence.heads)):
        if not usable(column.values).all():
            raise ObtainError(f"{path}: '{field}' of a person is {what_is_unusable(column.values)}")
    try:
        regions = tuple(_regions(xs, ys) for xs, ys in sequence.ignore_regions)
    except MALFORMED as error:
        raise _not_of_its_form(path, f"{error!r}") from error
    order = np.argsort(frames, kind="stable")
    columns = [names.index(joint) for joint in JOINTS]
    keypoints = sequence.keypoints.values.reshape(len(people), len(names), 3)[order][:, columns]
    person_images, joints = frames[order], keypoints[..., :2]
    return PoseTrackTruth(
        path=path,
        image_ids=image_ids.values,
        regions=regions,
        person_images=person_images,
        joints=joints,
        # All zeros mean that a joint is not annotated; a joint with coordinates counts with any visibility.
        annotated=(keypoints != 0).any(axis=-1) & ~in_regions(regions, person_images, joints),
        head_sizes=HEAD_BIAS * np.linalg.norm(sequence.heads.values[order, 2:], axis=1),
    )


def _not_of_its_form(path: Path, what: str) -> ObtainError:
    return ObtainError(f"{path}: not the annotations of a PoseTrack18 sequence: {what}")


def _regions(xs: Any, ys: Any) -> Regions:
    polygons = [np.array([x, y], np.float64).T for x, y in zip(xs, ys, strict=True)]
    numeric = all(polygon.ndim == 2 and usable(polygon).all() for polygon in polygons)
    if not numeric or not are_numbers(chain.from_iterable([*xs, *ys])):
        raise ValueError("ignore_regions_x and ignore_regions_y hold lists of finite numbers")
    return tuple(polygon for polygon in polygons if len(polygon))
