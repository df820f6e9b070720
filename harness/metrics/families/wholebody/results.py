"""Results files in COCO-WholeBody's format: a pose's keypoints in five fields, optionally with a score for each part.

Source: github.com/jin-s13/COCO-WholeBody, data_format.md, and xtcocotools' cocoeval.py, which reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float64
from harness.datasets.wholebody_file import FIELDS, NUM_KEYPOINTS
from harness.errors import ObtainError, brief
from harness.metrics.coco_results import CocoResults, Entries, read_entries, results_of
from harness.metrics.detections import are_numbers

SCORED_PARTS = {"foot": "foot_score", "face": "face_score", "lefthand": "lefthand_score"} | {
    "righthand": "righthand_score",
    "whole": "wholebody_score",
}
"""Optional fields of scores that replace `score` in the evaluation of a part."""


@dataclass(frozen=True)
class WholeBodyResults:
    """The content of a results file."""

    results: CocoResults
    """Poses of 133 keypoints."""
    scores: Mapping[str, Float64]
    """[N] by part, for parts that have their own scores."""


def load_wholebody_results(path: Path) -> WholeBodyResults:
    """Read a results file whose entries have five fields of keypoints, or all 133 in `keypoints`.

    Raises:
        ObtainError: The file is missing, is not JSON, or its entries are not such poses; names the entry and the field.
    """
    entries = read_entries(path)
    joined = [_joined(path, number, entry) for number, entry in enumerate(entries)]
    results = results_of(path, joined, NUM_KEYPOINTS)
    scores = {
        part: _scores(path, entries, field, results.detections.scores)
        for part, field in SCORED_PARTS.items()
        if any(field in entry for entry in entries)
    }
    return WholeBodyResults(results, scores)


def _joined(path: Path, number: int, entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with all keypoints in `keypoints`."""
    whole = entry.get("keypoints")
    others = [field for field in FIELDS if field != "keypoints"]
    if not any(field in entry for field in others) and isinstance(whole, list) and len(whole) == 3 * NUM_KEYPOINTS:
        return entry
    advice = (
        f"write x, y, score of the 17 body keypoints in 'keypoints', and those of the others in {', '.join(others)}; "
        f"or all {NUM_KEYPOINTS} in 'keypoints'"
    )
    for field, count in FIELDS.items():
        if field not in entry:
            raise ObtainError(f"{path}: entry {number} has no '{field}'", advice)
        found = entry[field]
        if not isinstance(found, list) or len(found) != 3 * count or not are_numbers(found):
            what = f"{len(found)} values" if isinstance(found, list) and len(found) != 3 * count else brief(found)
            raise ObtainError(f"{path}: '{field}' of entry {number} must be {3 * count} numbers, not {what}", advice)
    return {**entry, "keypoints": [value for field in FIELDS for value in entry[field]]}


def _scores(path: Path, entries: Entries, field: str, of_poses: Float64) -> Float64:
    """Return a part's scores, [N]; the pose's score for entries without one for the part."""
    scores = of_poses.copy()
    for number, entry in enumerate(entries):
        if field in entry:
            found = entry[field]
            if isinstance(found, bool) or not isinstance(found, int | float) or not np.isfinite(found):
                raise ObtainError(
                    f"{path}: '{field}' of entry {number} must be a finite number, not {brief(found)}",
                    "write the confidence of the part, or leave the field out to use the score of the pose",
                )
            scores[number] = found
    return scores
