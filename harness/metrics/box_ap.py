"""The person AP of a detector's box file, which measures the quality of the boxes that top-down models receive."""

import contextlib
import io
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.arrays import Bool, Float64, Int64, usable
from harness.datasets.box_file import look_like_corners, read_boxes
from harness.datasets.coco_file import PERSON, Annotations, are_crowds, image_positions, read_coco
from harness.datasets.columns import Integers
from harness.errors import ObtainError, brief

MAX_BOXES = 100
"""Most boxes per image that are evaluated, those with the highest scores."""


@dataclass(frozen=True)
class PersonAP:
    """The AP of a box file, as fractions; None without annotated people."""

    ap: float | None
    """Mean over the IoU thresholds 0.5, 0.55 ... 0.95."""
    ap50: float | None
    ap75: float | None
    images: int
    """Evaluated images, including those without boxes or without people."""
    boxes: int
    """Person boxes in them."""
    ap_of_corners: float | None = None
    """For a file whose boxes look like x1, y1, x2, y2: the AP with the boxes read as corners. An example is MMPose's
    sample of Human-Art's file, which MMPose reads as x, y, w, h; `ap` is the AP of that reading."""


def person_ap(box_file: Path, annotations: Path, image_ids: Collection[int] | None = None) -> PersonAP:
    """Evaluate a box file as COCO does (pycocotools, `bbox`), for the category person and people of all sizes.

    The published human AP of 56.4 (COCO val2017) and 56.2 (Human-Art) are this AP in percent, over all images.

    Args:
        box_file: A list of {image_id, category_id, bbox [x, y, w, h], score}; other categories are ignored.
        annotations: A COCO-style annotation file; its people with and without keypoints count, its crowds do not.
        image_ids: The images to evaluate; None for all of the annotation file.

    Raises:
        ObtainError: A file is missing or malformed, or the boxes are for other images; names the entry and the field.
    """
    coco, detected = read_coco(annotations), read_boxes(box_file)
    listed = _whole(annotations, "images", "id", coco.images.ids)
    evaluated = set(listed.tolist()) if image_ids is None else set(listed.tolist()) & set(image_ids)
    truth = _people(annotations, coco.annotations)

    rows = detected.people(box_file)
    scores, xywh = detected.require_scores(box_file, rows), detected.require_boxes(box_file, rows)
    of_images = detected.image_ids.values[rows]
    for field, numbers in (("score", scores[:, None]), ("bbox", xywh)):
        broken = ~usable(numbers).all(axis=1)
        if broken.any():
            first = int(broken.argmax())
            found = numbers[first][~usable(numbers[first])][0]
            raise ObtainError(f"{box_file}: entry {rows[first]}: {field} must be a finite number, not {found}")
    strangers = ~np.isin(of_images, listed)
    if strangers.any():
        first = int(strangers.argmax())
        raise ObtainError(
            f"{box_file}: entry {rows[first]}: image_id {of_images[first]} is not in {annotations}",
            "use the box file that was made for these images",
        )
    found = _Boxes(of_images, xywh, scores=scores)
    index = _coco(truth, evaluated)
    precision = _precision(index, _coco(found, evaluated))
    sizes = np.column_stack([coco.images.widths.values, coco.images.heights.values])
    corners = look_like_corners(xywh, sizes[image_positions(coco.images.ids, of_images)])
    as_widths = np.concatenate([xywh[:, :2], xywh[:, 2:] - xywh[:, :2]], axis=1)
    return PersonAP(
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        images=len(evaluated),
        boxes=int(np.isin(of_images, list(evaluated)).sum()),
        ap_of_corners=_mean(_precision(index, _coco(replace(found, xywh=as_widths), evaluated))) if corners else None,
    )


@dataclass(frozen=True)
class _Boxes:
    """N boxes of people: detected, with scores, or annotated."""

    image_ids: Int64
    """[N]"""
    xywh: Float64
    """[N, 4]"""
    scores: Float64 | None = None
    """[N]"""
    crowds: Bool | None = None
    """[N]"""


def _people(path: Path, people: Annotations) -> _Boxes:
    """Return the annotated boxes.

    Raises:
        ObtainError: A person has no image or a garbled box; names the annotation.
    """
    categories = people.categories
    rows = np.flatnonzero((~categories.given | (categories.values == PERSON)) & people.boxes.given)
    nowhere = rows[~people.image_ids.known[rows]]
    if len(nowhere):
        raise ObtainError(f"{path}: annotations[{nowhere[0]}] has no image_id, a whole number")
    boxes = people.boxes.values[rows]
    broken = rows[~(people.boxes.known[rows] & usable(boxes).all(axis=1))]
    if len(broken):
        found = brief(people.boxes.odd.get(int(broken[0]), people.boxes.values[broken[0]].tolist()))
        raise ObtainError(f"{path}: annotations[{broken[0]}]: bbox must be 4 finite numbers x, y, w, h, not {found}")
    return _Boxes(people.image_ids.values[rows], boxes, crowds=are_crowds(people.crowds)[rows])


def _coco(boxes: _Boxes, image_ids: set[int]) -> COCO:
    """Return an index of boxes; their ids count from 1, because pycocotools treats an id of 0 as no match."""
    columns: dict[str, list[Any]] = {"image_id": boxes.image_ids.tolist(), "bbox": boxes.xywh.tolist()}
    columns["area"] = boxes.xywh[:, 2:].prod(axis=1).tolist()
    if boxes.scores is not None:
        columns["score"] = boxes.scores.tolist()
    if boxes.crowds is not None:
        columns["iscrowd"] = boxes.crowds.astype(int).tolist()
    index = COCO()
    index.dataset = {
        "images": [{"id": image_id} for image_id in image_ids],
        "categories": [{"id": PERSON}],
        "annotations": [
            {"id": number, "category_id": PERSON, **dict(zip(columns, row, strict=True))}
            for number, row in enumerate(zip(*columns.values(), strict=True), 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        index.createIndex()
    return index


def _whole(path: Path, what: str, field: str, ids: Integers) -> Int64:
    if ids.odd:
        first = min(ids.odd)
        raise ObtainError(f"{path}: {what}[{first}]: {field} must be a whole number, not {brief(ids.odd[first])}")
    return ids.values


def _precision(truth: COCO, found: COCO) -> Any:
    """Return the precision [10 IoU thresholds, 101 recalls]; -1 without people to find."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, found, "bbox")
        # Only the range of all sizes, so that areas have no effect: some data sets lack them.
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, math.inf]], ["all"]
        evaluator.params.maxDets = [MAX_BOXES]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][:, :, 0, 0, 0]


def _mean(precision: Any) -> float | None:
    defined = precision[precision > -1]
    return float(np.mean(defined)) if defined.size else None
