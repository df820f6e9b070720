"""Reads COCO keypoint results files of any framework; errors name the entry and the next step."""

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float64, Int64
from harness.errors import MALFORMED, ObtainError, brief, counted
from harness.files import read_json
from harness.metrics.detections import Detections, are_numbers, check_finite, keypoints_advice

Entries = list[dict[str, Any]]

LARGEST_ID = 2**53
_ADVICE = {
    "bbox": "write x, y, width and height as numbers in all entries, or give none a box",
    "score": "write the confidence of the pose, or 1",
    "keypoints": "write x, y and score of each keypoint",
}


@dataclass(frozen=True)
class CocoResults:
    """The content of a results file."""

    detections: Detections
    category_id: Any
    """The category of every entry; None if there is none, or if there are several."""
    warnings: tuple[str, ...]
    """Values that were corrected, such as ids written as text."""


def load_results(path: Path, num_keypoints: int) -> CocoResults:
    """Read a results file.

    Raises:
        ObtainError: The file is missing, is not JSON, or its entries are not poses of K keypoints.
    """
    return results_of(path, read_entries(path), num_keypoints)


def read_entries(path: Path) -> Entries:
    """Return the entries of a results file, without checking their fields.

    Raises:
        ObtainError: The file is missing, is not JSON, or is not a list of objects.
    """
    entries = read_json(path, "the results file", "use the JSON file of CocoMetric's outfile_prefix in MMPose")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ObtainError(
            f"{path}: not a COCO results file: its top level is not a list of objects",
            'it must look like [{"image_id": 1, "category_id": 1, "keypoints": [x, y, score, ...], "score": 0.9}, ...]',
        )
    return entries


def results_of(path: Path, entries: Entries, num_keypoints: int) -> CocoResults:
    """Return the results of some entries; `path` is for messages, errors are those of `load_results`."""
    warnings: list[str] = []
    categories = _categories(path, entries)
    image_ids = read_image_ids(path, entries, "entry", warnings)
    # In COCO.loadRes, the first entry decides whether the results have boxes.
    has_boxes = bool(entries and entries[0].get("bbox"))
    detections = Detections(
        image_ids=image_ids,
        keypoints=_keypoints(path, entries, num_keypoints, warnings),
        scores=_column(path, entries, "score"),
        boxes=_column(path, entries, "bbox", 4) if has_boxes else None,
        categories=np.array(categories, np.int64)
        if all(type(one) is int for one in categories) and categories
        else None,
    )
    check_finite(path, "keypoints", detections.keypoints)
    check_finite(path, "score", detections.scores)
    if detections.boxes is not None:
        check_finite(path, "bbox", detections.boxes)
    category_id = categories[0] if len(set(map(str, categories))) == 1 else None
    return CocoResults(detections, category_id, tuple(warnings))


def _categories(path: Path, entries: Entries) -> list[Any]:
    """Return the category of each entry; an empty list for a file without categories, whose poses are of people."""
    stated = [entry["category_id"] for entry in entries if "category_id" in entry]
    for number, entry in enumerate(entries if stated else []):
        _require(path, number, entry, "category_id", f'add "category_id": {brief(stated[0])}, as in other entries')
    for number, category in enumerate(stated):
        if type(category) is int and abs(category) >= LARGEST_ID:
            raise ObtainError(
                f"{path}: 'category_id' of entry {number} must be a whole number below 2^53, not {brief(category)}",
                "write the number of its category in the annotations",
            )
    whole = all(type(category) is int for category in stated)
    odd = next((number for number, category in enumerate(stated) if category != stated[0]), None)
    if odd is not None and not whole:
        raise ObtainError(
            f"{path}: results of several 'category_id': {brief(stated[0])} in entry 0, {brief(stated[odd])} in entry "
            f"{odd}",
            "write for each entry the whole number of its category in the annotations",
        )
    return stated


def read_image_ids(path: Path, entries: Entries, what: str, warnings: list[str], field: str = "image_id") -> Int64:
    """Return the image ids [N] of entries, which messages call `what`; adds a warning for ids written as 1.0 or text.

    Raises:
        ObtainError: An id is not a whole number; names the first such entry and its value.
    """
    image_ids = np.empty(len(entries), np.int64)
    odd = []
    for number, entry in enumerate(entries):
        found: Any = entry.get(field)
        is_number = isinstance(found, int) and not isinstance(found, bool)
        as_text = isinstance(found, str) and re.fullmatch(r"[0-9]{1,16}", found)
        is_whole = is_number or as_text or (isinstance(found, float) and found.is_integer())
        if not is_whole or abs(int(found)) >= LARGEST_ID:
            name = "of this 'file_name'" if isinstance(found, str) else "it belongs to"
            slashes = " (with / for each \\)" if "\\" in str(found) else ""
            raise ObtainError(
                f"{path}: '{field}' of {what} {number} must be a whole number, not {brief(found)}",
                f"map by file_name: write the 'id' in the annotations of the image {name}{slashes}",
            )
        if not is_number:
            odd.append(number)
        image_ids[number] = int(found)
    if odd:
        first = entries[odd[0]][field]
        times = counted(len(odd), "time")
        warnings.append(
            f"{path.name}: {times}, '{field}' is not written as a whole number, first in {what} {odd[0]}: "
            f"{brief(first)}, read as {int(first)}; write {int(first)}"
        )
    return image_ids


def _keypoints(path: Path, entries: Entries, num_keypoints: int, warnings: list[str]) -> Float64:
    """Return the keypoints [N, K, 3]; a third number that is null (no score) is read as 1."""
    keypoints = _column(path, entries, "keypoints", 3 * num_keypoints).reshape(-1, num_keypoints, 3)
    unscored = []
    for number in np.unique(np.nonzero(np.isnan(keypoints[..., 2]))[0]).tolist():
        null = [value is None for value in entries[number]["keypoints"][2::3]]
        keypoints[number, null, 2] = 1
        if any(null):
            unscored.append(number)
    if unscored:
        warnings.append(
            f"third numbers of {counted(len(unscored), 'pose')} are null, the first in entry {unscored[0]}, and "
            "read as 1; write the score of each keypoint, or 1 if it has none"
        )
    return keypoints


def _column(path: Path, entries: Entries, field: str, length: int | None = None) -> Float64:
    for number, entry in enumerate(entries):
        _require(path, number, entry, field, _ADVICE.get(field))
    shape = (len(entries),) if length is None else (len(entries), length)
    try:
        column = np.array([entry[field] for entry in entries], np.float64) if entries else np.empty(shape)
    except MALFORMED:
        column = np.empty(())
    values = (entry[field] for entry in entries)
    if column.shape == shape and are_numbers(values if length is None else chain.from_iterable(values)):
        return column
    number = next(number for number, entry in enumerate(entries) if not _fits(entry[field], shape[1:]))
    found = entries[number][field]
    many = isinstance(found, list) and len(found) != length
    raise ObtainError(
        f"{path}: '{field}' of entry {number} must be {'one number' if length is None else f'{length} numbers'}, "
        f"not {f'{len(found)} values' if many else brief(found)}",
        keypoints_advice(found, (length or 0) // 3) if field == "keypoints" else _ADVICE.get(field),
    )


def _fits(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.array(value, np.float64).shape == shape and are_numbers(value if shape else [value])
    except MALFORMED:
        return False


def _require(path: Path, number: int, entry: dict[str, Any], field: str, advice: str | None) -> None:
    if field not in entry:
        raise ObtainError(f"{path}: entry {number} has no '{field}'", advice)
