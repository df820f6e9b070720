"""Ground truth of PoseTrack18, which has a file for each video sequence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, usable
from harness.errors import MALFORMED, ObtainError
from harness.files import read_json

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
"""What is evaluated: PoseTrack18's keypoints but for the ears, which it does not annotate."""
HEAD_BIAS = 0.6
"""The head's size is this part of the head box's diagonal, as in MPII."""


@dataclass(frozen=True)
class PoseTrackTruth:
    """I frames and M annotated people."""

    path: Path
    """The folder of the sequences, for messages."""
    image_ids: Int64
    """[I] by file name, then as in the file, each once."""
    regions: tuple[Regions, ...]
    """[I] where people are not annotated."""
    person_images: Indices
    """[M] index into image_ids, ascending; within a frame people stand as in the file."""
    joints: Float64
    """[M, 15, 2] x, y in image px."""
    annotated: Bool
    """[M, 15] which joints are to be found: annotated, and not inside an ignore region."""
    head_sizes: Float64
    """[M] px"""

    def restrict(self, image_ids: Iterable[int]) -> "PoseTrackTruth":
        """Return the truth of some frames only, for a partial run.

        Raises:
            ObtainError: There is no such frame.
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
        ObtainError: There are none, or one is malformed or lacks a field; the message names it.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ObtainError(
            f"the per-sequence ground truth is missing: no *.json in {folder}",
            "put PoseTrack18's own annotations/val there; posetrack18_val.json alone is not enough",
        )
    sequences = [_read_sequence(path) for path in files]
    image_ids = np.concatenate([sequence.image_ids for sequence in sequences])
    if len(np.unique(image_ids)) != len(image_ids):
        raise ObtainError(f"{folder}: its files have {len(image_ids) - len(np.unique(image_ids))} images in common")
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
        raise ObtainError(f"{folder}: nobody is annotated", "test sequences have no public ground truth")
    return truth


def in_regions(regions: Sequence[Regions], images: Indices, joints: Float64) -> Bool:
    """Return which joints are strictly inside an ignore region of their frame.

    Args:
        regions: Of every frame.
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
    """Tell by the even-odd rule which of P points are inside, [P]; a point on an edge is not."""
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


def _read_sequence(path: Path) -> PoseTrackTruth:
    document = read_json(path, "the ground truth of a sequence")
    if isinstance(document, dict) and "annolist" in document:
        raise ObtainError(f"{path}: in the format of PoseTrack 2017", "use the annotations of PoseTrack18")
    try:
        names = [*document["categories"][0]["keypoints"]]
        columns = [names.index(joint) for joint in JOINTS]
        by_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in document["images"]}
        for person in document["annotations"]:
            by_image[person["image_id"]].append(person)
        people = [person for group in by_image.values() for person in group]
        keypoints = np.array([person["keypoints"] for person in people], np.float64)
        keypoints = keypoints.reshape(len(people), len(names), 3)
        heads = np.array([person["bbox_head"] for person in people], np.float64).reshape(len(people), 4)
        regions = tuple(_regions(image) for image in document["images"])
        image_ids = np.array([image["id"] for image in document["images"]], np.int64)
    except MALFORMED as error:
        raise ObtainError(f"{path}: not the annotations of a PoseTrack18 sequence: {error!r}") from error
    if not (usable(keypoints).all() and usable(heads).all()):
        raise ObtainError(f"{path}: 'keypoints' or 'bbox_head' of somebody is not finite")
    keypoints = keypoints[:, columns]
    person_images = np.repeat(np.arange(len(by_image)), [len(group) for group in by_image.values()])
    joints = keypoints[..., :2]
    return PoseTrackTruth(
        path=path,
        image_ids=image_ids,
        regions=regions,
        person_images=person_images,
        joints=joints,
        # All zeros stand for a joint that is not annotated; one with coordinates counts, whatever its visibility.
        annotated=(keypoints != 0).any(axis=-1) & ~in_regions(regions, person_images, joints),
        head_sizes=HEAD_BIAS * np.linalg.norm(heads[:, 2:], axis=1),
    )


def _regions(image: dict[str, Any]) -> Regions:
    xs, ys = image.get("ignore_regions_x", ()), image.get("ignore_regions_y", ())
    polygons = [np.array([x, y], np.float64).T for x, y in zip(xs, ys, strict=True)]
    if not all(polygon.ndim == 2 and usable(polygon).all() for polygon in polygons):
        raise ValueError("ignore_regions_x and ignore_regions_y hold lists of finite numbers")
    return tuple(polygon for polygon in polygons if len(polygon))
