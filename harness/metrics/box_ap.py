"""The person AP of a detector's box file: how good the boxes are that top-down models start from."""

import contextlib
import io
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.arrays import LARGEST
from harness.errors import ObtainError, brief
from harness.files import read_json

PERSON = 1
MAX_BOXES = 100
"""So many boxes an image take part, by score."""


@dataclass(frozen=True)
class PersonAP:
    """How well a box file finds people, as fractions; None where nobody is annotated."""

    ap: float | None
    """Mean over the IoU thresholds 0.5, 0.55 ... 0.95."""
    ap50: float | None
    ap75: float | None
    images: int
    """Evaluated images; one without boxes or without people is one too."""
    boxes: int
    """Person boxes in them."""
    ap_of_corners: float | None = None
    """The AP of a file whose boxes look like x1, y1, x2, y2, taken as that. MMPose's sample of Human-Art's file is one,
    and MMPose reads it as x, y, w, h, which `ap` is of."""


def person_ap(box_file: Path, annotations: Path, image_ids: Collection[int] | None = None) -> PersonAP:
    """Evaluate a box file as COCO does (pycocotools, `bbox`), on the category person and people of all sizes.

    The published human AP of 56.4 (COCO val2017) and 56.2 (Human-Art) are this AP in percent, over all images.

    Args:
        box_file: A list of {image_id, category_id, bbox [x, y, w, h], score}; other categories are passed over.
        annotations: A COCO-style annotation file; its people with and without keypoints count, its crowds are ignored.
        image_ids: The images to evaluate; None for all of the annotation file.

    Raises:
        ObtainError: A file is missing or malformed, or the boxes are for other images; names the entry and the field.
    """
    document = read_json(annotations, "the annotation file", "name another data folder with --data")
    if not isinstance(document, dict):
        raise ObtainError(f"not a COCO-style annotation file, its top level is no object: {annotations}")
    listed = {
        _image_id(annotations, f"images[{number}]", image, "id")
        for number, image in enumerate(_entries(annotations, "images", document.get("images")))
    }
    evaluated = listed if image_ids is None else listed & set(image_ids)
    truth = []
    for number, person in enumerate(_entries(annotations, "annotations", document.get("annotations"))):
        where = f"annotations[{number}]"
        if person.get("category_id", PERSON) == PERSON and "bbox" in person:
            image_id = _image_id(annotations, where, person, "image_id")
            crowd = int(bool(person.get("iscrowd")))
            truth.append({"image_id": image_id, "bbox": _box(annotations, where, person), "iscrowd": crowd})

    found = []
    for number, box in enumerate(_entries(box_file, "its top level", read_json(box_file, "the box file"))):
        where = f"entry {number}"
        if _field(box_file, where, box, "category_id") != PERSON:
            continue
        image_id = _image_id(box_file, where, box, "image_id")
        if image_id not in listed:
            raise ObtainError(
                f"{box_file}: {where}: image_id {image_id} is not in {annotations}",
                "use the box file that was made for these images",
            )
        score = _number(box_file, where, "score", _field(box_file, where, box, "score"))
        found.append({"image_id": image_id, "bbox": _box(box_file, where, box), "score": score})
    index = _coco(truth, evaluated)
    precision = _precision(index, _coco(found, evaluated))
    return PersonAP(
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        images=len(evaluated),
        boxes=sum(box["image_id"] in evaluated for box in found),
        ap_of_corners=_mean(_precision(index, _coco(_as_corners(found), evaluated)))
        if _look_like_corners(found, document["images"])
        else None,
    )


def _look_like_corners(boxes: list[dict[str, Any]], images: list[dict[str, Any]]) -> bool:
    """Whether every box could be corners, and some, read as x, y, w, h, ends outside its image."""
    sizes = {image["id"]: (image.get("width"), image.get("height")) for image in images}
    outside = False
    for box in boxes:
        x, y, w, h = box["bbox"]
        if w <= x or h <= y:
            return False
        width, height = sizes[box["image_id"]]
        for end, size in ((x + w, width), (y + h, height)):
            outside = outside or (isinstance(size, int | float) and end > size + 1)
    return outside


def _as_corners(boxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    moved = []
    for box in boxes:
        x1, y1, x2, y2 = box["bbox"]
        moved.append(box | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
    return moved


def _coco(boxes: list[dict[str, Any]], image_ids: set[int]) -> COCO:
    """Index boxes; their ids count from 1, as pycocotools takes an id of 0 for no match."""
    index = COCO()
    index.dataset = {
        "images": [{"id": image_id} for image_id in image_ids],
        "categories": [{"id": PERSON}],
        "annotations": [
            {"id": number, "category_id": PERSON, "area": box["bbox"][2] * box["bbox"][3], **box}
            for number, box in enumerate(boxes, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        index.createIndex()
    return index


def _precision(truth: COCO, found: COCO) -> Any:
    """Return the precision [10 IoU thresholds, 101 recalls], -1 where nobody is to be found."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, found, "bbox")
        # All sizes only, so that areas play no part: not every data set has them.
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, math.inf]], ["all"]
        evaluator.params.maxDets = [MAX_BOXES]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][:, :, 0, 0, 0]


def _mean(precision: Any) -> float | None:
    defined = precision[precision > -1]
    return float(np.mean(defined)) if defined.size else None


def _entries(path: Path, what: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ObtainError(f"{path}: {what} is no list")
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise ObtainError(f"{path}: {what}: entry {number} is no object")
    return value


def _field(path: Path, where: str, entry: dict[str, Any], field: str) -> Any:
    if field not in entry:
        raise ObtainError(f"{path}: {where} has no {field}")
    return entry[field]


def _image_id(path: Path, where: str, entry: dict[str, Any], field: str) -> int:
    value = _field(path, where, entry, field)
    if not isinstance(value, int):
        raise ObtainError(f"{path}: {where}: {field} must be a whole number, not {brief(value)}")
    return value


def _number(path: Path, where: str, field: str, value: Any) -> float:
    if not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        raise ObtainError(f"{path}: {where}: {field} must be a finite number, not {brief(value)}")
    return float(value)


def _box(path: Path, where: str, entry: dict[str, Any]) -> list[float]:
    box = _field(path, where, entry, "bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ObtainError(f"{path}: {where}: bbox must be 4 numbers x, y, w, h, not {brief(box)}")
    return [_number(path, where, "bbox", value) for value in box]
