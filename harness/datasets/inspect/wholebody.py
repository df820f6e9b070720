"""Inspects COCO-WholeBody's annotation file: the keypoints of all parts, or of faces or hands alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.arrays import Bool
from harness.datasets.coco_file import Annotations, CocoFile
from harness.datasets.columns import Integers, Numbers
from harness.datasets.inspect.people import Annotated, inspect_people, named_ids
from harness.datasets.inspect.problems import Problems, chosen
from harness.datasets.interface import DataFiles
from harness.datasets.wholebody_file import BODY, FIELDS, OFFICIAL, WholeBodyFile


def inspect_whole(file: WholeBodyFile, files: DataFiles) -> Annotated:
    """Inspect people with 133 keypoints."""
    names = ", ".join(FIELDS)
    rules = replace(files.rules, body=BODY, fractional=True, keypoints_field=names)
    return inspect_people(
        files.annotations, file.joined, rules, ground_truth=files.ground_truth, detector=bool(files.boxes)
    )


def inspect_parts(file: WholeBodyFile, files: DataFiles, parts: Sequence[str]) -> Annotated:
    """Inspect faces or hands, each of which is evaluated like a person; `parts` lists the parts of one person."""
    problems = Problems(files.annotations)
    found = [_inspect_part(file, files, part, cut=part == "face") for part in parts]
    people = file.coco.annotations
    ids = named_ids(people.ids)
    for part in parts:
        problems.add(
            "error",
            "missing, or neither true nor false; only parts with true are evaluated",
            OFFICIAL,
            field=f"{part}_valid",
            what="annotation",
            ids=chosen(ids, ~file.valid[part].known),
        )
    images = found[0].images
    shown, reach = (np.stack([getattr(one.images, name) for one in found]) for name in ("has_people", "reach"))
    return Annotated(
        images=replace(images, has_people=shown.any(axis=0), reach=reach.max(axis=0)),
        annotations=len(people),
        people=sum(one.people for one in found),
        problems=tuple(dict.fromkeys([*problems.found, *(problem for one in found for problem in one.problems)])),
    )


def _inspect_part(file: WholeBodyFile, files: DataFiles, part: str, *, cut: bool) -> Annotated:
    field, coco = f"{part}_kpts", file.coco
    keypoints = file.keypoints[field]
    valid = np.nan_to_num(file.valid[part].values) != 0
    labelled = ~(keypoints.values.max(axis=1, initial=-np.inf) <= 0)
    rows = valid & labelled
    none = np.zeros(len(valid), bool)
    counts = Numbers(np.full(len(valid), np.nan), none, {})
    part_of = replace(coco.annotations, keypoints=keypoints, boxes=file.boxes[part], counts=counts)
    rules = replace(
        files.rules, fractional=True, clipped=cut, keypoints_field=field, box_field=f"{part}_box", areas=False
    )
    some = CocoFile(coco.images, _rows(part_of, rows), coco.categories)
    return inspect_people(files.annotations, some, rules, ground_truth=files.ground_truth, detector=bool(files.boxes))


def _rows(people: Annotations, rows: Bool) -> Annotations:
    """Return the annotations of a mask, [M]."""
    return Annotations(
        ids=_some_integers(people.ids, rows),
        image_ids=_some_integers(people.image_ids, rows),
        categories=_some(people.categories, rows),
        keypoints=_some(people.keypoints, rows),
        boxes=_some(people.boxes, rows),
        areas=_some(people.areas, rows),
        crowds=_some(people.crowds, rows),
        counts=_some(people.counts, rows),
    )


def _some(column: Numbers, rows: Bool) -> Numbers:
    return Numbers(column.values[rows], column.given[rows], _some_odd(column.odd, rows))


def _some_integers(column: Integers, rows: Bool) -> Integers:
    return Integers(column.values[rows], _some_odd(column.odd, rows))


def _some_odd(odd: Mapping[int, Any], rows: Bool) -> dict[int, Any]:
    places = {int(row): place for place, row in enumerate(np.flatnonzero(rows))}
    return {places[row]: value for row, value in odd.items() if row in places}
