"""Predictions in PoseTrack18's format, which has a file for each video sequence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float64, Int64
from harness.errors import MALFORMED, ObtainError, brief, counted
from harness.files import read_json
from harness.metrics.coco_results import read_image_ids
from harness.metrics.detections import are_numbers, check_finite, keypoints_advice
from harness.metrics.families.posetrack_ap.score import COLUMNS, NUM_KEYPOINTS
from harness.metrics.families.posetrack_ap.truth import JOINTS


@dataclass(frozen=True)
class PoseTrackResults:
    """N poses in F frames."""

    frames: Int64
    """[F] image ids, each once, with and without poses."""
    image_ids: Int64
    """[N] each pose's frame."""
    keypoints: Float64
    """[N, 17, 3] x, y in image px, and score."""
    scores: Float64
    """[N] each pose's score; 1 if scores are not needed."""
    warnings: tuple[str, ...]
    """Values that were corrected, such as ids written as text."""


def load_posetrack_results(path: Path, needs_scores: bool) -> PoseTrackResults:
    """Read the files of a folder, or a single one.

    Args:
        path: A folder with *.json, or the file of the only sequence.
        needs_scores: Whether every pose must have a 'score' in addition to the 'scores' of its keypoints.

    Raises:
        ObtainError: A file is missing or malformed; the message names it and the field.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    sequences = [_read_sequence(file, needs_scores) for file in files]
    frames = np.concatenate([sequence.frames for sequence in sequences])
    if len(np.unique(frames)) != len(frames):
        repeated = counted(len(frames) - len(np.unique(frames)), "frame is", "frames are")
        raise ObtainError(f"{path}: {repeated} listed more than once")
    return PoseTrackResults(
        frames=frames,
        image_ids=np.concatenate([sequence.image_ids for sequence in sequences]),
        keypoints=np.concatenate([sequence.keypoints for sequence in sequences]),
        scores=np.concatenate([sequence.scores for sequence in sequences]),
        warnings=tuple(warning for sequence in sequences for warning in sequence.warnings),
    )


def _read_sequence(path: Path, needs_scores: bool) -> PoseTrackResults:
    document = read_json(path, "the predictions of a sequence")
    warnings: list[str] = []
    try:
        names = [*document["categories"][0]["keypoints"]]
        known = len(names) == NUM_KEYPOINTS and [names[column] for column in COLUMNS] == [*JOINTS]
        frames = read_image_ids(path, [*document["images"]], "image", warnings, "id")
        people = [*document["annotations"]]
        image_ids = read_image_ids(path, people, "annotation", warnings)
    except MALFORMED as error:
        raise ObtainError(f"{path}: not the predictions of a PoseTrack18 sequence: {error!r}") from error
    if not known:
        raise ObtainError(f"{path}: its keypoints must be PoseTrack18's 17, in their order, not {brief(names)}")
    keypoints = _column(path, people, "keypoints", (NUM_KEYPOINTS * 3,)).reshape(-1, NUM_KEYPOINTS, 3)
    keypoints[..., 2] = _column(path, people, "scores", (NUM_KEYPOINTS,))  # replaces the third numbers
    scores = _column(path, people, "score", ()) if needs_scores else np.ones(len(people))
    for field, values in (("keypoints", keypoints[..., :2]), ("scores", keypoints[..., 2]), ("score", scores)):
        check_finite(path, field, values)
    return PoseTrackResults(frames, image_ids, keypoints, scores, tuple(warnings))


def _column(path: Path, people: list[dict[str, Any]], field: str, shape: tuple[int, ...]) -> Float64:
    values = np.empty((len(people), *shape))
    for index, person in enumerate(people):
        found = person.get(field)
        try:
            array = np.array(np.nan if found is None else found, np.float64)
        except MALFORMED:
            array = np.empty(0)
        if found is None or array.shape != shape or not are_numbers(found if shape else [found]):
            expected = f"{shape[0]} numbers" if shape else "a number"
            what = f"{len(found)} values" if isinstance(found, list) and (len(found),) != shape else brief(found)
            advice = keypoints_advice(found, NUM_KEYPOINTS) if field == "keypoints" else None
            raise ObtainError(f"{path}: '{field}' of annotation {index} must be {expected}, not {what}", advice)
        values[index] = array
    return values
