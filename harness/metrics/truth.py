"""Ground truth of COCO-style annotation files, as arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Int64, usable
from harness.errors import MALFORMED, ObtainError, brief
from harness.files import read_json


@dataclass(frozen=True)
class Truth:
    """I images and M annotated people with K keypoints each.

    Within an image the people stand in the order in which the COCO evaluators take them, which decides ties.
    """

    path: Path
    """The annotation file, for messages."""
    image_ids: Int64
    """[I] in file order, each once."""
    crowd_indices: Float64
    """[I] CrowdPose's crowd index; NaN where the file gives none."""
    annotation_ids: Int64
    """[M]"""
    annotation_image_ids: Int64
    """[M]"""
    keypoints: Float64
    """[M, K, 3] x, y in image px, and visibility: 0 not labelled, 1 hidden, 2 visible."""
    boxes: Float64
    """[M, 4] x, y, width, height, image px."""
    areas: Float64
    """[M] px²; NaN where the file gives none."""
    is_crowd: Bool
    """[M] one annotation for a crowd of people; missing in the file means no."""
    num_keypoints: Int64
    """[M] as the file counts them, which need not be the number of labelled keypoints; -1 where it does not."""

    def restrict(self, image_ids: Iterable[int]) -> "Truth":
        """Return the truth of some images only, in file order, for a partial run.

        Raises:
            ObtainError: The annotation file has no such image.
        """
        wanted = np.unique(np.fromiter(image_ids, np.int64))
        unknown = np.setdiff1d(wanted, self.image_ids)
        if len(unknown):
            raise ObtainError(f"{self.path}: there is no image {unknown[0]} among its 'images'")
        images = np.isin(self.image_ids, wanted)
        people = np.isin(self.annotation_image_ids, wanted)
        return replace(
            self,
            image_ids=self.image_ids[images],
            crowd_indices=self.crowd_indices[images],
            annotation_ids=self.annotation_ids[people],
            annotation_image_ids=self.annotation_image_ids[people],
            keypoints=self.keypoints[people],
            boxes=self.boxes[people],
            areas=self.areas[people],
            is_crowd=self.is_crowd[people],
            num_keypoints=self.num_keypoints[people],
        )


def load_truth(path: Path, num_keypoints: int, *, areas: bool = False, crowd: bool = False) -> Truth:
    """Read a COCO-style annotation file.

    Args:
        path: The JSON file.
        num_keypoints: K; every annotation must have 3 K numbers.
        areas: Whether every annotation must have an 'area'.
        crowd: Whether every image must have a 'crowdIndex' and every annotation 'num_keypoints' (CrowdPose).

    Raises:
        ObtainError: The file is missing, is not JSON, or lacks or garbles a field; the message names it.
    """
    document = read_json(path, "the annotation file")
    if not isinstance(document, dict):
        raise ObtainError(f"{path}: not a COCO-style annotation file: its top level is no object")
    images = _records(path, document, "images")
    # An image that is listed twice counts once (COCO's index is a dict by id).
    images = list({_integer(path, "images", image, "id"): image for image in images}.values())
    people = _effective(_records(path, document, "annotations"), path)

    image_ids = np.array([image["id"] for image in images], np.int64)
    person_images = np.array([_integer(path, "annotations", person, "image_id") for person in people], np.int64)
    strays = ~np.isin(person_images, image_ids)
    if strays.any():
        first = int(np.flatnonzero(strays)[0])
        raise ObtainError(
            f"{path}: annotation {people[first]['id']} has image_id {person_images[first]}, "
            f"which is not among its 'images' ({strays.sum()} annotations are like that)"
        )
    if any(person.get("category_id") != people[0].get("category_id") for person in people):
        raise ObtainError(f"{path}: annotations of several 'category_id'; only people can be scored")

    keypoints = _numbers(path, "annotations", people, "keypoints", 3 * num_keypoints).reshape(-1, num_keypoints, 3)
    if not (keypoints[..., 2] > 0).any():
        raise ObtainError(f"{path}: no annotation has a labelled keypoint", "is this the file of another task?")
    return Truth(
        path=path,
        image_ids=image_ids,
        crowd_indices=_numbers(path, "images", images, "crowdIndex", default=None if crowd else np.nan),
        annotation_ids=np.array([person["id"] for person in people], np.int64),
        annotation_image_ids=person_images,
        keypoints=keypoints,
        boxes=_numbers(path, "annotations", people, "bbox", 4),
        areas=_numbers(path, "annotations", people, "area", default=None if areas else np.nan),
        is_crowd=_numbers(path, "annotations", people, "iscrowd", default=0) != 0,
        num_keypoints=_counts(_numbers(path, "annotations", people, "num_keypoints", default=None if crowd else -1)),
    )


def _records(path: Path, document: dict[str, Any], field: str) -> list[dict[str, Any]]:
    records = document.get(field)
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ObtainError(f"{path}: '{field}' is missing, empty or no list of objects")
    return records


def _effective(annotations: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Return the annotations that an evaluator gets to see, in its order: by image, then as in the file.

    COCO's index is a dict by annotation id, so where several annotations share an id, each of them becomes the last.
    """
    last = {_integer(path, "annotations", annotation, "id"): annotation for annotation in annotations}
    by_image = sorted(annotations, key=lambda annotation: _integer(path, "annotations", annotation, "image_id"))
    return [last[annotation["id"]] for annotation in by_image]


def _integer(path: Path, what: str, record: dict[str, Any], field: str) -> int:
    value = record.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ObtainError(f"{path}: '{field}' in '{what}' must be a non-negative integer, not {brief(value)}")
    return value


def _numbers(
    path: Path,
    what: str,
    records: Sequence[dict[str, Any]],
    field: str,
    length: int | None = None,
    default: float | None = None,
) -> Float64:
    """Return a numeric field of all records, [records] or [records, length]; without default it must be there."""
    values = [record.get(field, default) for record in records]
    for record, value in zip(records, values, strict=True):
        where = f"{path}: '{field}' of {record['id']} in '{what}'"
        if value is None:
            raise ObtainError(f"{where} is missing")
        if length is not None and (not isinstance(value, list) or len(value) != length):
            found = f"{len(value)}" if isinstance(value, list) else brief(value)
            raise ObtainError(f"{where} must hold {length} numbers, not {found}")
    try:
        array = np.array(values, np.float64)
    except MALFORMED as error:
        raise ObtainError(f"{path}: '{field}' in '{what}' holds something other than numbers: {error}") from error
    if array.shape[1:] != (() if length is None else (length,)):
        raise ObtainError(f"{path}: '{field}' in '{what}' holds lists in place of numbers")
    given = np.array([field in record for record in records], bool)
    broken = given & ~usable(array.reshape(len(records), -1)).all(axis=1)
    if broken.any():
        record = records[int(np.flatnonzero(broken)[0])]
        raise ObtainError(f"{path}: '{field}' of {record['id']} in '{what}' is not finite")
    return array


def _counts(numbers: Float64) -> Int64:
    """Return counts as integers; what matters of them is whether they are negative, 0 or more."""
    return np.clip(numbers, -1, 2**31).astype(np.int64)
