"""Inspects COCO-style annotation files: ids, boxes, areas, keypoints."""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Bool, Float64, Indices
from harness.datasets.coco_file import Annotations, CocoFile, Images, distinct_images, image_positions
from harness.datasets.columns import WHOLE_NUMBERS, Integers
from harness.datasets.inspect.categories import check_categories
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.keypoint_names import check_names, check_sigmas
from harness.datasets.inspect.problems import OFFICIAL, Problem, Problems, chosen, if_many
from harness.datasets.inspect.repeated import check_repeated_ids
from harness.datasets.inspect.units import check_areas, check_flags, check_units
from harness.datasets.inspect.whole_images import check_whole_images
from harness.errors import brief

CROWDPOSE_UNCOUNTED = 2
"""Head and neck, CrowdPose's last keypoints, are not in its `num_keypoints`, although xtcocotools states otherwise."""
AREAS = "write each person's area in px², or let the evaluator use 0.53 times the box: use_area=False of CocoMetric"


@dataclass(frozen=True)
class Rules:
    """The fields and values that a suite's metric and data set need in an annotation file."""

    num_keypoints: int
    areas: bool
    """The metric reads `area`."""
    crowd: bool
    """CrowdPose: the metric reads `crowdIndex` of images, and `num_keypoints`, which excludes head and neck."""
    one_based: bool
    """JHMDB: pixels count from 1, and MMPose counts labelled keypoints itself."""
    flags: bool = False
    """The metric treats keypoints whose visibility is not above 0 as not labelled, and scores each category alone."""
    names: tuple[str, ...] = ()
    """The names of the metainfo's keypoints."""
    sigmas: tuple[float, ...] = ()
    """The sigmas of the metainfo, if the metric reads them."""
    counted: bool = False
    """FreiHAND: MMPose counts labelled keypoints itself, as for JHMDB, and ignores `num_keypoints`."""
    whole_image: int | None = None
    """FreiHAND, locust, zebra: side in px of the square at 0, 0 that is every person's box; `bbox` is not read."""
    species: bool = False
    """AP-10K: annotations are of several categories, and the published numbers are means over them."""
    body: int | None = None
    """COCO-WholeBody: `num_keypoints` is required, and counts this many keypoints, the first ones."""
    fractional: bool = False
    """COCO-WholeBody: a visibility may be any number from 0 to 2."""
    clipped: bool = True
    """Boxes are cut to the image before they are inspected; False for COCO-WholeBody's hands."""
    keypoints_field: str = "keypoints"
    """The field with an annotation's keypoints, for messages."""
    box_field: str = "bbox"
    """The field with an annotation's box, for messages."""


@dataclass(frozen=True)
class Annotated:
    """The counts and problems of an annotation file."""

    images: ImageList
    annotations: int
    people: int
    """Number of people that MMPose evaluates on ground-truth boxes."""
    problems: tuple[Problem, ...]
    sequences: int | None = None
    """Number of videos, for a data set with a file for each."""


def inspect_people(
    file: str, coco: CocoFile, rules: Rules, *, ground_truth: bool = True, detector: bool = False
) -> Annotated:
    """Inspect a COCO-style keypoint annotation file.

    Args:
        file: The path for messages.
        coco: The content of the file.
        rules: The fields and values that are needed.
        ground_truth: People are predicted in its boxes.
        detector: People are predicted in a detector's boxes.
    """
    problems = Problems(file)
    check_sigmas(problems, rules.sigmas)
    images, people = coco.images, coco.annotations
    sizes = np.column_stack([images.widths.shaped(), images.heights.shaped()])
    _check_images(problems, images, sizes, rules)
    check_repeated_ids(problems, images, people, OFFICIAL)
    position = np.where(people.image_ids.known, image_positions(images.ids, people.image_ids.values), -1)
    ids = _check_people(problems, people, position)
    if rules.flags:
        check_categories(problems, coco, ids, by_crowd=rules.crowd, species=rules.species, detector=detector)
    used = set(people.categories.values[people.categories.known].tolist())
    check_names(problems, coco.categories or (), used, rules.names)

    known = position >= 0
    size = np.where(known[:, None], sizes[position], np.nan) if len(images) else np.full((len(people), 2), np.nan)
    crowd = np.nan_to_num(people.crowds.shaped()) != 0
    keypoints = people.keypoints.shaped(rules.num_keypoints, 3)
    if rules.flags:
        check_flags(problems, ids, keypoints, crowd)
    keypoints[..., :2] -= rules.one_based
    boxes = people.boxes.shaped(4)
    boxes[:, :2] -= rules.one_based

    counted = _evaluable_keypoints(people, keypoints, rules)
    if rules.whole_image is not None:
        check_whole_images(problems, images, sizes, ids, size, keypoints, rules.whole_image)
        boxes = np.tile([0.0, 0.0, rules.whole_image, rules.whole_image], (len(people), 1))
    empty = _empty(boxes, size if rules.clipped and rules.whole_image is None else None)
    _check_keypoints(problems, ids, keypoints, size, crowd, rules)
    _check_counts(problems, people, ids, keypoints, crowd, rules)
    flags = (keypoints[..., 2] > 0) & ~crowd[:, None]
    labelled = flags.any(axis=1)
    reads_boxes = ground_truth or not rules.areas
    as_read = check_units(problems, ids, keypoints[..., :2], flags, boxes, size, reads_boxes)
    outside = empty & np.isfinite(size).all(axis=1) & as_read
    _check_boxes(problems, ids, boxes, outside, labelled, rules)
    if rules.areas:
        measured = boxes if as_read else np.full_like(boxes, np.nan)
        check_areas(problems, ids, people.areas.shaped(), measured, labelled, AREAS)
    evaluated = known & ~crowd & counted & ~empty
    has_people = np.zeros(len(images), bool)
    has_people[position[evaluated]] = True
    reach = np.zeros((len(images), 2))
    furthest = np.where(flags[..., None], keypoints[..., :2], 0).max(axis=1, initial=0)
    np.maximum.at(reach, position[known], furthest[known])
    distinct = distinct_images(images.ids)
    return Annotated(
        images=ImageList(
            ids=tuple(np.where(images.ids.known, images.ids.values, -1)[distinct].tolist()),
            names=tuple(images.names[row] or "" for row in distinct.tolist()),
            sizes=sizes[distinct],
            has_people=has_people[distinct],
            reach=reach[distinct],
        ),
        annotations=len(people),
        people=int(evaluated.sum()),
        problems=tuple(problems.found),
    )


def _check_images(problems: Problems, images: Images, sizes: Float64, rules: Rules) -> None:
    named = named_ids(images.ids)
    for field, bad in (
        ("id", ~images.ids.known),
        ("file_name", np.array([name is None for name in images.names], bool)),
        ("width, height", ~(sizes > 0).all(axis=1)),
    ):
        text = "missing or invalid"
        advice = _whole(images.ids) if field == "id" else OFFICIAL
        problems.add("error", text, advice, field=field, what="image", ids=chosen(named, bad))
    if rules.crowd:
        crowd = images.crowd_indices.shaped()
        problems.add(
            "error",
            "missing, but AP(E), AP(M) and AP(H) need it",
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


def _check_people(problems: Problems, people: Annotations, position: Indices) -> list[int]:
    """Check ids; returns the annotations' ids, [M], with the index in the file in place of an invalid id."""
    named, whole = named_ids(people.ids), people.ids.known
    text = "missing, or not an integer"
    problems.add("error", text, _whole(people.ids), field="id", what="annotation", ids=chosen(named, ~whole))
    problems.add(
        "error",
        "of an image that is not listed",
        "list the image in `images`, or correct image_id",
        field="image_id",
        what="annotation",
        ids=chosen(named, position < 0),
    )
    return named


def _whole(ids: Integers) -> str:
    """Return the advice for ids that are not whole numbers, with the first of them."""
    return f"found {brief(next(iter(ids.odd.values())))}: {WHOLE_NUMBERS}" if ids.odd else ""


def named_ids(ids: Integers) -> list[int]:
    """Return ids, with the index in the file in place of an invalid id."""
    named: list[int] = np.where(ids.known, ids.values, np.arange(len(ids))).tolist()
    return named


def _check_keypoints(
    problems: Problems, ids: list[int], keypoints: Float64, size: Float64, crowd: Bool, rules: Rules
) -> None:
    bad = np.isnan(keypoints).any(axis=(1, 2))
    problems.add(
        "error",
        f"missing, or not {rules.num_keypoints} times x, y, visibility",
        OFFICIAL,
        field=rules.keypoints_field,
        what="annotation",
        ids=chosen(ids, bad),
    )
    flags = keypoints[..., 2]
    usual = (flags >= 0) & (flags <= 2) if rules.fractional else np.isin(flags, (0, 1, 2))
    problems.add(
        "error",
        "a visibility that is not from 0 to 2" if rules.fractional else "a visibility that is not 0, 1 or 2",
        OFFICIAL,
        field=rules.keypoints_field,
        what="annotation",
        ids=chosen(ids, ~bad & ~usual.all(axis=1)),
    )
    points = keypoints[..., :2]
    outside = ((points < 0) | (points > size[:, None])).any(axis=2) & (flags > 0)
    problems.add(
        if_many(outside.any(axis=1) & ~crowd, (flags > 0).any(axis=1)),
        "labelled outside of the image",
        "harmless for few people at the border",
        field=rules.keypoints_field,
        what="annotation",
        ids=chosen(ids, outside.any(axis=1) & ~crowd),
    )


def _check_counts(
    problems: Problems, people: Annotations, ids: list[int], keypoints: Float64, crowd: Bool, rules: Rules
) -> None:
    """Compare `num_keypoints` with the flags: a person whose `num_keypoints` is 0 is not evaluated."""
    stated = people.counts.shaped()
    counted = keypoints[:, :-CROWDPOSE_UNCOUNTED] if rules.crowd else keypoints[:, : rules.body]
    labelled = (counted[..., 2] > 0).sum(axis=1)
    differs = (stated != labelled) & np.isfinite(stated) & ~np.isnan(keypoints).any(axis=(1, 2)) & ~crowd
    changes = differs & ((stated == 0) != (labelled == 0)) & (not rules.counted)
    counts = "the labelled keypoints" + (
        " except head and neck" if rules.crowd else " of the body" if rules.body else ""
    )
    problems.add(
        "error",
        f"contradicts {counts}: a person with 0 is not evaluated, any other person is",
        OFFICIAL,
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, changes),
    )
    problems.add(
        "note",
        f"not the number of {counts}",
        "harmless: only 0 matters, which excludes a person",
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, differs & ~changes),
    )
    if rules.crowd or rules.body:
        problems.add(
            "error",
            "missing, but the evaluation reads it",
            OFFICIAL,
            field="num_keypoints",
            what="annotation",
            ids=chosen(ids, np.isnan(stated)),
        )


def _check_boxes(problems: Problems, ids: list[int], boxes: Float64, empty: Bool, labelled: Bool, rules: Rules) -> None:
    bad = np.isnan(boxes).any(axis=1)
    problems.add(
        "error",
        "missing, or not x, y, width, height",
        OFFICIAL,
        field=rules.box_field,
        what="annotation",
        ids=chosen(ids, bad),
    )
    flat = ~bad & (boxes[:, 2:] <= 0).any(axis=1)
    for fault, text in ((flat, "width or height is zero or negative"), (empty & ~flat & ~bad, "outside of the image")):
        problems.add(
            "error",
            f"{text}, yet the person has keypoints: not evaluated on ground-truth boxes",
            OFFICIAL,
            field=rules.box_field,
            what="annotation",
            ids=chosen(ids, fault & labelled),
        )
        problems.add(
            "note",
            f"{text}; the person has no keypoints",
            "harmless",
            field=rules.box_field,
            what="annotation",
            ids=chosen(ids, fault & ~labelled),
        )
    if rules.one_based:
        problems.add(
            "warning",
            "begins at pixel 0, but JHMDB counts from 1: perhaps 1 is subtracted already",
            "take MMPose's jhmdb_annotations.tar: all crops of a 0-based file are shifted by one pixel",
            field=rules.box_field,
            what="annotation",
            ids=chosen(ids, (boxes[:, :2] < 0).any(axis=1)),
        )


def _evaluable_keypoints(people: Annotations, keypoints: Float64, rules: Rules) -> Bool:
    """Return which people, [M], have keypoints by MMPose's rule (`parse_data_info` of base_coco_style_dataset.py)."""
    points = keypoints[..., :2].astype(np.float32)
    labelled = np.count_nonzero(points.max(axis=2), axis=1)
    stated = people.counts.shaped()
    count = labelled if rules.one_based or rules.counted else np.where(np.isnan(stated), labelled, stated)
    evaluable: Bool = (count != 0) & (points.max(axis=(1, 2), initial=-np.inf) > 0)
    return evaluable


def _empty(boxes: Float64, size: Float64 | None) -> Bool:
    """Return which boxes, [M], have no area, with `size` inside of the image; MMPose excludes these people."""
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    if size is not None:
        corners = np.clip(corners, 0, np.tile(size - 1, 2))
    corners = corners.astype(np.float32)
    inside: Bool = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return ~inside
