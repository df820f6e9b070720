"""Ground truth of COCO-style annotation files, as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, positions, usable, what_is_unusable
from harness.datasets.coco_file import CocoFile, distinct_images, read_coco
from harness.datasets.columns import Integers, Numbers
from harness.datasets.labelled import KEYPOINTS_ADVICE
from harness.errors import ObtainError, RunError, brief

HINTS = {
    "keypoints": KEYPOINTS_ADVICE,
    "bbox": "write x, y, width, height",
    "area": "write the area in px², or let the evaluator use 0.53 times the box: use_area=False of CocoMetric",
}
"""The next step if a field of an annotation cannot be read."""


@dataclass(frozen=True)
class Truth:
    """I images and M annotated people with K keypoints each.

    Within an image, people are in the order of the COCO evaluators, which decides ties.
    """

    path: Path
    """The annotation file, for messages."""
    image_ids: Int64
    """[I] in file order, each once."""
    crowd_indices: Float64
    """[I] CrowdPose's crowd index; NaN where the file has none."""
    annotation_ids: Int64
    """[M]"""
    annotation_image_ids: Int64
    """[M]"""
    keypoints: Float64
    """[M, K, 3] x, y in image px, and visibility: 0 not labelled, 1 hidden, 2 visible."""
    boxes: Float64
    """[M, 4] x, y, width, height, image px."""
    areas: Float64
    """[M] px²; NaN where the file has none."""
    is_crowd: Bool
    """[M] whether the annotation is of a crowd of people; False if the file does not state it."""
    num_keypoints: Int64
    """[M] the file's `num_keypoints`, which can differ from the number of labelled keypoints; -1 where it has none."""
    categories: Int64
    """[M] `category_id`; 0 throughout where the file has none."""

    def restrict(self, image_ids: Iterable[int]) -> "Truth":
        """Return the ground truth of some images only, in file order, for a partial run.

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
            categories=self.categories[people],
        )

    @property
    def all_categories(self) -> Int64:
        """[C] ascending; a single 0 without annotations."""
        return np.unique(self.categories) if len(self.categories) else np.zeros(1, np.int64)

    def categories_of(self, annotation_ids: Int64) -> Int64 | None:
        """Return the categories of people by the ids of their annotations, [N]; None if there is only one category.

        Raises:
            RunError: An annotation does not exist.
        """
        if len(self.all_categories) == 1:
            return None
        places = positions(self.annotation_ids, annotation_ids)
        unknown = annotation_ids[places < 0]
        if len(unknown):
            raise RunError(f"{self.path}: there is no annotation {unknown[0]}, so no category of it")
        categories: Int64 = self.categories[places]
        return categories


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
    return truth_of(path, read_coco(path), num_keypoints, areas=areas, crowd=crowd)


def truth_of(path: Path, coco: CocoFile, num_keypoints: int, *, areas: bool = False, crowd: bool = False) -> Truth:
    """Return the ground truth from the content of a file; `path` is for messages, the rest is as for `load_truth`."""
    images, people = coco.images, coco.annotations
    for field, found in (("images", images), ("annotations", people)):
        if not len(found):
            raise ObtainError(f"{path}: '{field}' is empty")
    _ids(path, "images", "id", images.ids)
    image_rows = distinct_images(images.ids)
    rows = _effective(
        _ids(path, "annotations", "id", people.ids), _ids(path, "annotations", "image_id", people.image_ids)
    )
    image_ids, ids = images.ids.values[image_rows], people.ids.values[rows]
    person_images = people.image_ids.values[rows]
    strays = ~np.isin(person_images, image_ids)
    if strays.any():
        first = int(strays.argmax())
        raise ObtainError(
            f"{path}: annotation {ids[first]} has image_id {person_images[first]}, "
            f"which is not among its 'images' ({strays.sum()} annotations are like that)"
        )

    def numbers(field: str, column: Numbers, *, length: int | None = None, default: float | None = None) -> Float64:
        where = f"{path}: '{field}' of {{}} in 'annotations'"
        return _numbers(where, ids, column, rows, length, default, HINTS.get(field))

    keypoints = numbers("keypoints", people.keypoints, length=3 * num_keypoints).reshape(-1, num_keypoints, 3)
    if not (keypoints[..., 2] > 0).any():
        raise ObtainError(f"{path}: no annotation has a labelled keypoint", "is this the file of another task?")
    crowd_index = f"{path}: 'crowdIndex' of {{}} in 'images'"
    return Truth(
        path=path,
        image_ids=image_ids,
        crowd_indices=_numbers(
            crowd_index, image_ids, images.crowd_indices, image_rows, default=None if crowd else np.nan
        ),
        annotation_ids=ids,
        annotation_image_ids=person_images,
        keypoints=keypoints,
        boxes=numbers("bbox", people.boxes, length=4),
        areas=numbers("area", people.areas, default=None if areas else np.nan),
        is_crowd=numbers("iscrowd", people.crowds, default=0) != 0,
        num_keypoints=_counts(numbers("num_keypoints", people.counts, default=None if crowd else -1)),
        categories=_categories(path, people.categories, rows),
    )


def _ids(path: Path, what: str, field: str, column: Integers) -> Int64:
    strange = np.flatnonzero(~column.known | (column.values < 0))
    if len(strange):
        row = int(strange[0])
        value = brief(column.odd.get(row, int(column.values[row])))
        raise ObtainError(f"{path}: '{field}' in '{what}' must be a non-negative integer, not {value}")
    return column.values


def _effective(ids: Int64, image_ids: Int64) -> Indices:
    """Return the rows of annotations that an evaluator uses, in its order: by image, then in file order.

    COCO's index is a dict by annotation id, so that the last of several annotations with one id replaces the others.
    """
    _, group = np.unique(ids, return_inverse=True)
    rows: Indices = _last_rows(group)[group][np.argsort(image_ids, kind="stable")]
    return rows


def _last_rows(group: Indices) -> Indices:
    """Return the last row of each group; `group` has the group's index of each row."""
    last = np.empty(int(group.max()) + 1, np.intp)
    last[group] = np.arange(len(group))  # NumPy keeps the last value of a repeated index
    return last


def _categories(path: Path, column: Numbers, rows: Indices) -> Int64:
    """Return the categories of annotations, [M]; the only category of a file need not be a number."""
    values = column.values[rows]
    whole = column.known[rows] & (np.abs(values) < 2**53) & (values == np.trunc(values))
    if whole.all():
        return values.astype(np.int64)
    odd = [column.odd.get(row) for row in rows.tolist()]
    if whole.any() or any(value != odd[0] for value in odd) or (odd[0] is None and np.isfinite(values).any()):
        raise ObtainError(
            f"{path}: annotations of several 'category_id', not all of which are whole numbers",
            "give each annotation the id of one of the file's `categories`",
        )
    return np.zeros(len(rows), np.int64)


def _numbers(
    where: str,
    ids: Int64,
    column: Numbers,
    rows: Indices,
    length: int | None = None,
    default: float | None = None,
    hint: str | None = None,
) -> Float64:
    """Return a field of some records, [records] or [records, length]; without a default the field is required.

    Args:
        where: Names the field in an error, with {} for the id of the record.
        ids: [records]
        column: The field of all records.
        rows: [records] indices of the records.
        length: The length of the list; None for a single number.
        default: The value of a missing field.
        hint: The next step, for an error.
    """
    values, given, known = column.values[rows], column.given[rows], column.known[rows]
    missing = np.zeros(len(rows), bool) if default is not None else ~given
    strange = given & ~known
    if length is not None and values.shape[1] != length and known.any():
        strange = known
    if (missing | strange).any():
        first = int((missing | strange).argmax())
        found = column.odd.get(int(rows[first]))
        named = where.format(ids[first])
        if missing[first] or (found is None and not known[first]):
            raise ObtainError(f"{named} is missing", hint)
        if length is None:
            raise ObtainError(f"{named} must be a number, not {brief(found)}", hint)
        count = values.shape[1] if known[first] else len(found) if isinstance(found, list) else None
        if count == length:
            raise ObtainError(f"{named} holds something other than numbers: {brief(found)}", hint)
        raise ObtainError(f"{named} must hold {length} numbers, not {brief(found) if count is None else count}", hint)
    broken = given & ~usable(values.reshape(len(rows), -1)).all(axis=1)
    if broken.any():
        raise ObtainError(f"{where.format(ids[int(broken.argmax())])} is {what_is_unusable(values[broken][:1])}", hint)
    if default is not None:
        values[~given] = default
    return values


def _counts(numbers: Float64) -> Int64:
    """Return counts as integers, clipped: only negative, 0 and positive are distinguished."""
    return np.clip(numbers, -1, 2**31).astype(np.int64)
