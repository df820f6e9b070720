"""COCO-style annotation files: ids, boxes, areas, keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.columns import Record, integer, numbers, records, repeated
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.problems import Problem, Problems, chosen
from harness.errors import ObtainError

PERSON = 1
CROWDPOSE_UNCOUNTED = 2
"""Head and neck, CrowdPose's last keypoints, are not in its `num_keypoints`, whatever xtcocotools says of it."""
OFFICIAL = "take the official file, or correct this one"


@dataclass(frozen=True)
class Rules:
    """What a suite's metric and data set need of an annotation file."""

    num_keypoints: int
    areas: bool
    """The metric reads `area`."""
    crowd: bool
    """CrowdPose: it reads `crowdIndex` of images, and `num_keypoints`, which leaves out head and neck."""
    one_based: bool
    """JHMDB: pixels count from 1, and MMPose counts labelled keypoints itself."""


@dataclass(frozen=True)
class Annotated:
    """What an annotation file holds."""

    images: ImageList
    annotations: int
    people: int
    """Those whom MMPose evaluates on ground-truth boxes."""
    problems: tuple[Problem, ...]


def inspect_people(file: str, document: Any, rules: Rules) -> Annotated:
    """Inspect a COCO-style keypoint annotation file.

    Raises:
        ObtainError: It has not the form of one.
    """
    if not isinstance(document, dict):
        raise ObtainError("it is no object with `images` and `annotations`")
    problems = Problems(file)
    images = records(document.get("images"), "`images`")
    people = records(document.get("annotations"), "`annotations`")
    image_ids = [integer(image, "id") for image in images]
    sizes = np.column_stack([numbers(images, "width"), numbers(images, "height")])
    _check_images(problems, images, image_ids, sizes, rules)
    ids = _check_ids(problems, people, image_ids)

    index = {image: position for position, image in enumerate(image_ids) if image is not None}
    of_image = [integer(person, "image_id") for person in people]
    position = np.array([-1 if image is None else index.get(image, -1) for image in of_image], np.intp)
    known = position >= 0
    size = np.where(known[:, None], sizes[position], np.nan) if len(images) else np.full((len(people), 2), np.nan)
    crowd = np.nan_to_num(numbers(people, "iscrowd")) != 0
    keypoints = numbers(people, "keypoints", rules.num_keypoints, 3)
    keypoints[..., :2] -= rules.one_based
    boxes = numbers(people, "bbox", 4)
    boxes[:, :2] -= rules.one_based

    counted = _evaluable_keypoints(people, keypoints, rules)
    empty = _empty_when_clipped(boxes, size)
    _check_keypoints(problems, ids, keypoints, size, crowd, rules)
    _check_counts(problems, people, ids, keypoints, crowd, rules)
    labelled = (keypoints[..., 2] > 0).any(axis=1) & ~crowd
    _check_boxes(problems, people, ids, boxes, empty & np.isfinite(size).all(axis=1), labelled, rules)
    if rules.areas:
        problems.add(
            "error",
            "zero, negative or missing: no prediction can match such a person",
            OFFICIAL,
            field="area",
            what="annotation",
            ids=chosen(ids, labelled & ~(numbers(people, "area") > 0)),
        )
    evaluated = known & ~crowd & counted & ~empty
    has_people = np.zeros(len(images), bool)
    has_people[position[evaluated]] = True
    return Annotated(
        images=ImageList(
            ids=tuple(-1 if image is None else image for image in image_ids),
            names=tuple(str(image.get("file_name", "")) for image in images),
            sizes=sizes,
            has_people=has_people,
        ),
        annotations=len(people),
        people=int(evaluated.sum()),
        problems=tuple(problems.found),
    )


def _check_images(
    problems: Problems, images: list[Record], ids: Sequence[int | None], sizes: Float64, rules: Rules
) -> None:
    named = [n if i is None else i for n, i in enumerate(ids)]
    for field, bad in (
        ("id", [i is None for i in ids]),
        ("file_name", [not isinstance(image.get("file_name"), str) for image in images]),
        ("width, height", (~(sizes > 0).all(axis=1)).tolist()),
    ):
        text = "missing, or not what it must be"
        problems.add("error", text, OFFICIAL, field=field, what="image", ids=chosen(named, np.array(bad, bool)))
    problems.add(
        "error",
        "used for several images",
        OFFICIAL,
        field="id",
        what="image",
        ids=repeated(i for i in ids if i is not None),
    )
    if rules.crowd:
        crowd = numbers(images, "crowdIndex")
        problems.add(
            "error",
            "missing; AP(E), AP(M) and AP(H) need it",
            "take MMPose's mmpose_crowdpose_test.json",
            field="crowdIndex",
            what="image",
            ids=chosen(named, np.isnan(crowd)),
        )
        problems.add(
            "error",
            "not from 0 to 1",
            OFFICIAL,
            field="crowdIndex",
            what="image",
            ids=chosen(named, (crowd < 0) | (crowd > 1)),
        )


def _check_ids(problems: Problems, people: list[Record], image_ids: Sequence[int | None]) -> list[int]:
    """Return the annotations' ids, and in place of one that is none its index in the file."""
    ids = [integer(person, "id") for person in people]
    named = [n if i is None else i for n, i in enumerate(ids)]
    whole = np.array([i is not None for i in ids], bool)
    problems.add("error", "missing, or no integer", OFFICIAL, field="id", what="annotation", ids=chosen(named, ~whole))
    problems.add(
        "error",
        "used for several annotations: the evaluator takes the last for all of them",
        OFFICIAL,
        field="id",
        what="annotation",
        ids=repeated(i for i in ids if i is not None),
    )
    there = set(image_ids) - {None}
    strays = np.array([integer(person, "image_id") not in there for person in people], bool)
    problems.add(
        "error",
        "of an image that is not listed",
        "take annotations and images of the same release",
        field="image_id",
        what="annotation",
        ids=chosen(named, strays),
    )
    others = np.array([person.get("category_id") != PERSON for person in people], bool)
    problems.add(
        "error",
        "not 1, the category of people",
        "take the keypoint file of people, with people alone in it",
        field="category_id",
        what="annotation",
        ids=chosen(named, others),
    )
    return named


def _check_keypoints(
    problems: Problems, ids: list[int], keypoints: Float64, size: Float64, crowd: Bool, rules: Rules
) -> None:
    bad = np.isnan(keypoints).any(axis=(1, 2))
    problems.add(
        "error",
        f"missing, or not {rules.num_keypoints} times x, y, visibility",
        OFFICIAL,
        field="keypoints",
        what="annotation",
        ids=chosen(ids, bad),
    )
    flags = keypoints[..., 2]
    problems.add(
        "error",
        "a visibility that is not 0, 1 or 2",
        OFFICIAL,
        field="keypoints",
        what="annotation",
        ids=chosen(ids, ~bad & ~np.isin(flags, (0, 1, 2)).all(axis=1)),
    )
    points = keypoints[..., :2]
    outside = ((points < 0) | (points > size[:, None])).any(axis=2) & (flags > 0)
    problems.add(
        "warning",
        "labelled outside of the image",
        "harmless where it is few people at the border",
        field="keypoints",
        what="annotation",
        ids=chosen(ids, outside.any(axis=1) & ~crowd),
    )


def _check_counts(
    problems: Problems, people: list[Record], ids: list[int], keypoints: Float64, crowd: Bool, rules: Rules
) -> None:
    """Compare `num_keypoints` with the flags; where it is zero or not decides who is evaluated."""
    stated = numbers(people, "num_keypoints")
    counted = keypoints[:, :-CROWDPOSE_UNCOUNTED] if rules.crowd else keypoints
    labelled = (counted[..., 2] > 0).sum(axis=1)
    differs = (stated != labelled) & np.isfinite(stated) & ~np.isnan(keypoints).any(axis=(1, 2)) & ~crowd
    changes = differs & ((stated == 0) != (labelled == 0))
    counts = "the labelled keypoints" + (", head and neck aside" if rules.crowd else "")
    problems.add(
        "error",
        f"whether it is 0 decides who is evaluated, and it contradicts {counts}",
        OFFICIAL,
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, changes),
    )
    problems.add(
        "warning",
        f"not the number of {counts}",
        "harmless: what counts is whether it is 0",
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, differs & ~changes),
    )
    if rules.crowd:
        problems.add(
            "error",
            "missing; the evaluation reads it",
            OFFICIAL,
            field="num_keypoints",
            what="annotation",
            ids=chosen(ids, np.isnan(stated)),
        )


def _check_boxes(
    problems: Problems, people: list[Record], ids: list[int], boxes: Float64, empty: Bool, labelled: Bool, rules: Rules
) -> None:
    bad = np.isnan(boxes).any(axis=1)
    problems.add(
        "error", "missing, or not x, y, width, height", OFFICIAL, field="bbox", what="annotation", ids=chosen(ids, bad)
    )
    flat = ~bad & (boxes[:, 2:] <= 0).any(axis=1)
    for fault, text in ((flat, "width or height is zero or negative"), (empty & ~flat & ~bad, "outside of the image")):
        problems.add(
            "error",
            f"{text}, yet the person has keypoints: not evaluated on ground-truth boxes",
            OFFICIAL,
            field="bbox",
            what="annotation",
            ids=chosen(ids, fault & labelled),
        )
        problems.add(
            "warning",
            f"{text}; the person has no keypoints",
            "harmless",
            field="bbox",
            what="annotation",
            ids=chosen(ids, fault & ~labelled),
        )
    if rules.one_based:
        problems.add(
            "warning",
            "begins at pixel 0, and JHMDB counts from 1: perhaps somebody subtracted 1 already",
            "take MMPose's jhmdb_annotations.tar: all crops of a 0-based file are off by one pixel",
            field="bbox",
            what="annotation",
            ids=chosen(ids, (boxes[:, :2] < 0).any(axis=1)),
        )


def _evaluable_keypoints(people: list[Record], keypoints: Float64, rules: Rules) -> Bool:
    """Tell who has keypoints by MMPose's rule (`parse_data_info` of base_coco_style_dataset.py)."""
    points = keypoints[..., :2].astype(np.float32)
    labelled = np.count_nonzero(points.max(axis=2), axis=1)
    stated = numbers(people, "num_keypoints")
    count = labelled if rules.one_based else np.where(np.isnan(stated), labelled, stated)
    evaluable: Bool = (count != 0) & (points.max(axis=(1, 2), initial=-np.inf) > 0)
    return evaluable


def _empty_when_clipped(boxes: Float64, size: Float64) -> Bool:
    """Tell which boxes have no area inside the image; MMPose leaves those people out."""
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    corners = np.clip(corners, 0, np.tile(size - 1, 2)).astype(np.float32)
    inside: Bool = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return ~inside
