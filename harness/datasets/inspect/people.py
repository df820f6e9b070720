"""COCO-style annotation files: ids, boxes, areas, keypoints."""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Bool, Float64, Indices
from harness.datasets.coco_file import Annotations, CocoFile, Images, image_positions
from harness.datasets.columns import WHOLE_NUMBERS, Integers
from harness.datasets.inspect.categories import check_categories
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.keypoint_names import check_names, check_sigmas
from harness.datasets.inspect.problems import Problem, Problems, chosen, if_many
from harness.datasets.inspect.repeated import check_repeated_ids
from harness.datasets.inspect.units import check_areas, check_flags, check_units
from harness.datasets.inspect.whole_images import check_whole_images
from harness.errors import brief

CROWDPOSE_UNCOUNTED = 2
"""Head and neck, CrowdPose's last keypoints, are not in its `num_keypoints`, whatever xtcocotools says of it."""
OFFICIAL = "correct the file; of a published data set, take the official one"
AREAS = "write each person's area in px², or have the evaluator take 0.53 times the box: use_area=False of CocoMetric"


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
    flags: bool = False
    """The metric takes keypoints whose visibility is not above 0 for not labelled, and scores each category alone."""
    names: tuple[str, ...] = ()
    """Of the metainfo's keypoints."""
    sigmas: tuple[float, ...] = ()
    """Of the metainfo, where the metric reads them."""
    counted: bool = False
    """FreiHAND: MMPose counts labelled keypoints itself, as for JHMDB, whatever `num_keypoints` says."""
    whole_image: int | None = None
    """FreiHAND, locust, zebra: px; everybody's box is a square of this side at 0, 0, and nothing reads `bbox`."""
    species: bool = False
    """AP-10K: annotations are of several categories, and the published numbers are means over them."""
    body: int | None = None
    """COCO-WholeBody: `num_keypoints`, which must be there, counts so many keypoints, the first ones."""
    fractional: bool = False
    """COCO-WholeBody: a visibility may be any number from 0 to 2."""
    clipped: bool = True
    """Boxes are cut to the image before they are judged; not those of COCO-WholeBody's hands."""
    keypoints_field: str = "keypoints"
    """Where annotations have their keypoints, for messages."""
    box_field: str = "bbox"
    """Where they have their boxes."""


@dataclass(frozen=True)
class Annotated:
    """What an annotation file holds."""

    images: ImageList
    annotations: int
    people: int
    """Those whom MMPose evaluates on ground-truth boxes."""
    problems: tuple[Problem, ...]
    sequences: int | None = None
    """Videos, of a data set that has a file for each."""


def inspect_people(
    file: str, coco: CocoFile, rules: Rules, *, ground_truth: bool = True, detector: bool = False
) -> Annotated:
    """Inspect a COCO-style keypoint annotation file.

    Args:
        file: For messages.
        coco: What is in it.
        rules: What is needed of it.
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
    empty = _empty_when_clipped(boxes, size) if rules.clipped and rules.whole_image is None else _empty(boxes)
    _check_keypoints(problems, ids, keypoints, size, crowd, rules)
    _check_counts(problems, people, ids, keypoints, crowd, rules)
    flags = (keypoints[..., 2] > 0) & ~crowd[:, None]
    labelled = flags.any(axis=1)
    reads_boxes = ground_truth or not rules.areas
    as_read = check_units(problems, ids, keypoints[..., :2], flags, boxes, size, reads_boxes)
    outside = empty & np.isfinite(size).all(axis=1) & as_read
    _check_boxes(problems, people, ids, boxes, outside, labelled, rules)
    if rules.areas:
        measured = boxes if as_read else np.full_like(boxes, np.nan)
        check_areas(problems, ids, people.areas.shaped(), measured, labelled, AREAS)
    evaluated = known & ~crowd & counted & ~empty
    has_people = np.zeros(len(images), bool)
    has_people[position[evaluated]] = True
    reach = np.zeros((len(images), 2))
    furthest = np.where(flags[..., None], keypoints[..., :2], 0).max(axis=1, initial=0)
    np.maximum.at(reach, position[known], furthest[known])
    return Annotated(
        images=ImageList(
            ids=tuple(np.where(images.ids.known, images.ids.values, -1).tolist()),
            names=tuple(name or "" for name in images.names),
            sizes=sizes,
            has_people=has_people,
            reach=reach,
        ),
        annotations=len(people),
        people=int(evaluated.sum()),
        problems=tuple(problems.found),
    )


def _check_images(problems: Problems, images: Images, sizes: Float64, rules: Rules) -> None:
    named = _named(images.ids)
    for field, bad in (
        ("id", ~images.ids.known),
        ("file_name", np.array([name is None for name in images.names], bool)),
        ("width, height", ~(sizes > 0).all(axis=1)),
    ):
        text = "missing, or not what it must be"
        advice = _whole(images.ids) if field == "id" else OFFICIAL
        problems.add("error", text, advice, field=field, what="image", ids=chosen(named, bad))
    if rules.crowd:
        crowd = images.crowd_indices.shaped()
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


def _check_people(problems: Problems, people: Annotations, position: Indices) -> list[int]:
    """Check ids; return the annotations' ids, and in place of one that is none its index in the file."""
    named, whole = _named(people.ids), people.ids.known
    text = "missing, or no integer"
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
    """Return what to do about ids that are no whole numbers, after the first of them."""
    return f"found {brief(next(iter(ids.odd.values())))}: {WHOLE_NUMBERS}" if ids.odd else ""


def _named(ids: Integers) -> list[int]:
    """Return ids, and in place of one that is none its index in the file."""
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
        "harmless where it is few people at the border",
        field=rules.keypoints_field,
        what="annotation",
        ids=chosen(ids, outside.any(axis=1) & ~crowd),
    )


def _check_counts(
    problems: Problems, people: Annotations, ids: list[int], keypoints: Float64, crowd: Bool, rules: Rules
) -> None:
    """Compare `num_keypoints` with the flags; where it is zero or not decides who is evaluated."""
    stated = people.counts.shaped()
    counted = keypoints[:, :-CROWDPOSE_UNCOUNTED] if rules.crowd else keypoints[:, : rules.body]
    labelled = (counted[..., 2] > 0).sum(axis=1)
    differs = (stated != labelled) & np.isfinite(stated) & ~np.isnan(keypoints).any(axis=(1, 2)) & ~crowd
    changes = differs & ((stated == 0) != (labelled == 0)) & (not rules.counted)
    counts = "the labelled keypoints" + (
        ", head and neck aside" if rules.crowd else " of the body" if rules.body else ""
    )
    problems.add(
        "error",
        f"whether it is 0 decides who is evaluated, and it contradicts {counts}",
        OFFICIAL,
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, changes),
    )
    problems.add(
        "note",
        f"not the number of {counts}",
        "harmless: what counts is whether it is 0",
        field="num_keypoints",
        what="annotation",
        ids=chosen(ids, differs & ~changes),
    )
    if rules.crowd or rules.body:
        problems.add(
            "error",
            "missing; the evaluation reads it",
            OFFICIAL,
            field="num_keypoints",
            what="annotation",
            ids=chosen(ids, np.isnan(stated)),
        )


def _check_boxes(
    problems: Problems, people: Annotations, ids: list[int], boxes: Float64, empty: Bool, labelled: Bool, rules: Rules
) -> None:
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
            "begins at pixel 0, and JHMDB counts from 1: perhaps somebody subtracted 1 already",
            "take MMPose's jhmdb_annotations.tar: all crops of a 0-based file are off by one pixel",
            field=rules.box_field,
            what="annotation",
            ids=chosen(ids, (boxes[:, :2] < 0).any(axis=1)),
        )


def _evaluable_keypoints(people: Annotations, keypoints: Float64, rules: Rules) -> Bool:
    """Tell who has keypoints by MMPose's rule (`parse_data_info` of base_coco_style_dataset.py)."""
    points = keypoints[..., :2].astype(np.float32)
    labelled = np.count_nonzero(points.max(axis=2), axis=1)
    stated = people.counts.shaped()
    count = labelled if rules.one_based or rules.counted else np.where(np.isnan(stated), labelled, stated)
    evaluable: Bool = (count != 0) & (points.max(axis=(1, 2), initial=-np.inf) > 0)
    return evaluable


def _empty_when_clipped(boxes: Float64, size: Float64) -> Bool:
    """Tell which boxes have no area inside the image; MMPose leaves those people out."""
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    corners = np.clip(corners, 0, np.tile(size - 1, 2)).astype(np.float32)
    inside: Bool = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return ~inside


def _empty(boxes: Float64) -> Bool:
    """Tell which boxes have no area at all."""
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32)
    inside: Bool = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return ~inside
