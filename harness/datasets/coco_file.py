"""COCO-style annotation files as arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Indices, Int64, positions
from harness.datasets.columns import (
    WHOLE_NUMBERS,
    FormError,
    Integers,
    Numbers,
    Record,
    integers,
    number_lists,
    numbers,
    records,
)
from harness.datasets.read_once import read_once
from harness.errors import ObtainError, brief
from harness.files import read_json

PERSON = 1
"""The category of people."""


@dataclass(frozen=True)
class Images:
    """The I entries of `images`, in file order."""

    ids: Integers
    names: tuple[str | None, ...]
    """[I] `file_name`; None where it is not a text."""
    widths: Numbers
    """[I] px"""
    heights: Numbers
    """[I] px"""
    crowd_indices: Numbers
    """[I] `crowdIndex` (CrowdPose)."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Annotations:
    """The M entries of `annotations`, in file order."""

    ids: Integers
    image_ids: Integers
    categories: Numbers
    """[M] `category_id`"""
    keypoints: Numbers
    """[M, 3 K] x, y, visibility; in the file one list, or a list for each keypoint."""
    boxes: Numbers
    """[M, 4] x, y, width, height, px"""
    areas: Numbers
    """[M] px²"""
    crowds: Numbers
    """[M] `iscrowd`"""
    counts: Numbers
    """[M] `num_keypoints`"""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Category:
    """An entry of `categories`."""

    id: int
    keypoints: tuple[str, ...]
    """The names of keypoints; empty if the entry does not list texts."""
    name: str = ""
    """Empty if it is not a text."""


@dataclass(frozen=True)
class CocoFile:
    """A COCO-style annotation file; missing or garbled fields are marked, not refused."""

    images: Images
    annotations: Annotations
    categories: tuple[Category, ...] | None
    """The entries whose id is a whole number; None if the file has no list of categories."""

    def listed(self, path: Path) -> tuple[Int64, tuple[str, ...]]:
        """Return the images' ids, [I], and file names, in file order.

        Raises:
            ObtainError: An image lacks one of them; the message names `path`.
        """
        ids, names = self.images.ids, self.images.names
        texts = tuple(name for name in names if name is not None)
        if ids.odd or len(texts) < len(names):
            first = min([*ids.odd, *(index for index, name in enumerate(names) if name is None)])
            if first not in ids.odd:
                raise ObtainError(f"images[{first}] has no id or file_name: {path}", "write file_name, a text")
            found = brief(ids.odd[first])
            raise ObtainError(f"images[{first}] has no id or file_name: {path}: its id is {found}", WHOLE_NUMBERS)
        return ids.values, texts


def require_known(ids: Integers, field: str, path: Path) -> None:
    """Check that all annotations of a file have an id, in `field`.

    Raises:
        ObtainError: One has none; names the first.
    """
    if ids.odd:
        first = min(ids.odd)
        found = brief(ids.odd[first])
        raise ObtainError(f"annotations[{first}] of {path} has no {field}: it is {found}", WHOLE_NUMBERS)


@read_once
def read_coco(path: Path) -> CocoFile:
    """Read a COCO-style annotation file.

    Raises:
        ObtainError: The file is missing or is not JSON.
        FormError: It is not an object with `images` and `annotations`, which are lists of objects.
    """
    return coco_columns(read_document(path))


def read_document(path: Path) -> dict[str, Any]:
    """Return a COCO-style document, whose `images` and `annotations` are lists of objects.

    Raises the errors of `read_coco`.
    """
    document: Any = read_json(path, "the annotation file", "name another data folder with --data")
    if not isinstance(document, dict):
        raise FormError(path, "it is not an object with `images` and `annotations`")
    for field in ("images", "annotations"):
        if not records(document.get(field)):
            raise FormError(path, f"`{field}` is not a list of objects")
    return document


def coco_columns(document: Mapping[str, Any]) -> CocoFile:
    """Return the columns of a document of `read_document`."""
    images, people = document["images"], document["annotations"]
    names = (image.get("file_name") for image in images)
    return CocoFile(
        Images(
            ids=integers(images, "id"),
            names=tuple(name if isinstance(name, str) else None for name in names),
            widths=numbers(images, "width"),
            heights=numbers(images, "height"),
            crowd_indices=numbers(images, "crowdIndex"),
        ),
        Annotations(
            ids=integers(people, "id"),
            image_ids=integers(people, "image_id"),
            categories=numbers(people, "category_id"),
            keypoints=number_lists(_with_zeros(_with_flat_keypoints(people)), "keypoints"),
            boxes=number_lists(people, "bbox", 4),
            areas=numbers(people, "area"),
            crowds=numbers(people, "iscrowd"),
            counts=numbers(people, "num_keypoints"),
        ),
        _categories(document.get("categories")),
    )


def _with_flat_keypoints(people: Sequence[Record]) -> Sequence[Record]:
    """Return the records with x, y, visibility in one list, also where the file has a list for each keypoint (RHD)."""
    nested = {number for number, person in enumerate(people) if _are_triples(person.get("keypoints"))}
    if not nested:
        return people
    return [
        {**person, "keypoints": [*chain.from_iterable(person["keypoints"])]} if number in nested else person
        for number, person in enumerate(people)
    ]


def _are_triples(value: Any) -> bool:
    return bool(value) and isinstance(value, list) and all(isinstance(one, list) and len(one) == 3 for one in value)


def _with_zeros(people: Sequence[Record]) -> Sequence[Record]:
    """Return the records with zeros in place of empty lists of keypoints: in MMPose, both are without labels."""
    if all(person.get("keypoints") != [] for person in people):
        return people
    lengths = Counter(len(found) for person in people if isinstance(found := person.get("keypoints"), list) and found)
    zeros = [0] * max(lengths, key=lengths.__getitem__, default=0)
    return [{**person, "keypoints": zeros} if person.get("keypoints") == [] else person for person in people]


def _categories(entries: Any) -> tuple[Category, ...] | None:
    if not records(entries):
        return None
    return tuple(
        Category(
            entry["id"],
            keypoints=tuple(names) if _are_texts(names := entry.get("keypoints")) else (),
            name=name if isinstance(name := entry.get("name"), str) else "",
        )
        for entry in entries
        if type(entry.get("id")) is int
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def distinct_images(ids: Integers) -> Indices:
    """Return the indices of the distinct images, [n]; an image without an id is one.

    COCO's index is a dict by id: the last image with an id is used, at the place of the first.
    """
    last: dict[object, int] = {}
    for row, (image_id, known) in enumerate(zip(ids.values.tolist(), ids.known.tolist(), strict=True)):
        last[image_id if known else ("no id", row)] = row
    return np.array([*last.values()], np.intp)


def by_image(coco: CocoFile) -> tuple[Indices, Indices]:
    """Return the indices of images and of annotations, [N] each, of annotations whose image is listed.

    The order is that of COCO's index: image by image, with an image's annotations in file order. `image_id` of all
    annotations must be known.
    """
    images = distinct_images(coco.images.ids)
    images = images[coco.images.ids.known[images]]
    image_ids, person_images = coco.images.ids.values[images], coco.annotations.image_ids.values
    order = np.argsort(person_images, kind="stable")
    grouped = person_images[order]
    starts, stops = np.searchsorted(grouped, image_ids), np.searchsorted(grouped, image_ids, side="right")
    counts = stops - starts
    places = np.repeat(np.arange(len(images)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return images[places], order[starts[places] + within]


def image_positions(ids: Integers, wanted: Int64) -> Indices:
    """Return the indices, [N], of N image ids among those of I images: the last of a repeated id, -1 if absent."""
    known = np.flatnonzero(ids.known)
    return np.append(known, -1)[positions(ids.values[known], wanted)]


def are_crowds(column: Numbers) -> Bool:
    """Return which annotations `iscrowd` marks as crowds, [M]: all values that are true in Python."""
    crowds: Bool = column.given & (column.values != 0)
    for index, value in column.odd.items():
        crowds[index] = bool(value)
    return crowds
