"""Converts external predictions to the form of the harness's own, and checks them; used by several families."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float32, Float64, Floating, Int64
from harness.errors import ObtainError, counted
from harness.metrics.family import Matched, Metrics
from harness.metrics.foreign import Coverage, ForeignFile, ForeignOutcome
from harness.metrics.keypoint_arrays import read_keypoints
from harness.predictions import Predictions

TINY = (-1, 2)
"""px; coordinates in 0..1 or -1..1 stay within this range, a pose in pixels does not."""


def check_images(path: Path, images: Int64, known: Int64, truth: Path) -> None:
    """Check that the ground truth has the images of all poses.

    Raises:
        ObtainError: It lacks some; the message has their number, and names the first.
    """
    strays = np.setdiff1d(images, known)
    if len(strays):
        entry = int(np.flatnonzero(images == strays[0])[0])
        raise ObtainError(
            f"{path}: poses in {counted(len(strays), 'image')} that {truth} does not have, such as {strays[0]} "
            f"(entry {entry})",
            "map by file_name: write the 'id' in the annotations of the image, and remove poses of other data sets",
        )


def has_pose(keypoints: Float64) -> Bool:
    """Return which of N people have a pose, [N], from keypoints [N, K, 2].

    A row is not a pose if all its numbers are equal and not above 0.
    """
    number = keypoints[:, :1, :1]
    predicted: Bool = ~((keypoints == number) & (number <= 0)).all(axis=(1, 2))
    return predicted


def check_pixels(path: Path, keypoints: Float64, truth: Floating) -> tuple[str, ...]:
    """Return a warning about poses that are not in pixels.

    Args:
        path: The predictions.
        keypoints: [N, K, 2]
        truth: Coordinates of the ground truth, of any shape.

    Raises:
        ObtainError: No pose is in pixels, so that all people would be missed.
    """
    shown = has_pose(keypoints)
    tiny = shown & ((keypoints >= TINY[0]) & (keypoints <= TINY[1])).all(axis=(1, 2))
    if not tiny.any() or ((truth >= TINY[0]) & (truth <= TINY[1])).all():
        return ()
    first = int(np.flatnonzero(tiny)[0])
    x, y = keypoints[first][keypoints[first].any(axis=1)][0]
    found = f"keypoints of {tiny.sum()} of {shown.sum()} poses lie in 0..1, first those of number {first}: {x:g}, {y:g}"
    advice = "write pixels of the whole image: multiply x by its width and y by its height"
    if tiny.sum() == shown.sum():
        raise ObtainError(f"{path}: {found}", advice)
    return (f"{found}; {advice}",)


def coverage(people_images: Int64, predicted: Int64, metrics: Callable[[], Metrics]) -> Coverage:
    """Return the coverage: the numbers of people and of images without a pose.

    Args:
        people_images: [M] the image of each person to find.
        predicted: The images of poses, in any order.
        metrics: Computes the metrics on the predicted images.
    """
    missed, images = ~np.isin(people_images, predicted), np.unique(people_images)
    return Coverage(
        people=len(people_images),
        people_without_pose=int(missed.sum()),
        images=len(images),
        images_without_pose=len(np.setdiff1d(images, predicted)),
        metrics=metrics() if missed.any() and len(predicted) else None,
    )


def score_people(
    found: Predictions, predicted: Bool, warnings: tuple[str, ...], match: Callable[[Predictions], Matched]
) -> ForeignOutcome:
    """Score an array of people: all of them and, if some have no pose, also the others alone.

    Args:
        found: N people.
        predicted: [N] which people have a pose.
        warnings: Further warnings.
        match: Matches people with the ground truth.
    """
    count, missed = len(predicted), int((~predicted).sum())
    return ForeignOutcome(
        metrics=match(found).stats(),
        warnings=warnings,
        coverage=Coverage(
            people=count,
            people_without_pose=missed,
            images=None,
            images_without_pose=None,
            metrics=match(found.where(predicted)).stats() if 0 < missed < count else None,
        ),
    )


def warn_of_undefined(outcome: ForeignOutcome, metric: str) -> ForeignOutcome:
    """Return the outcome with a warning if a mean of distances is undefined because people have no pose."""
    covered = outcome.coverage
    if covered is None or not covered.people_without_pose or outcome.metrics.get(metric, 0) is not None:
        return outcome
    if covered.metrics is not None and covered.metrics[metric] is None:
        return outcome
    warning = (
        f"{metric} is undefined: {covered.people_without_pose} of {covered.people} people have no pose; write a pose "
        "for each person"
    )
    return replace(outcome, warnings=(*outcome.warnings, warning))


def scored_poses(image_ids: Int64, boxes: Float64 | None, keypoints: Float64, scores: Float64) -> Predictions:
    """Return poses with [N, K, 3] keypoints for rescoring and NMS, which MMPose computes in single precision.

    In the NMS, the scale of a pose is the area of its box, or of the extent of its keypoints, which MMPose uses if
    there is no crop. MMPose's scale of a pose with a crop is the area of the crop.
    """
    points = keypoints[..., :2]
    if boxes is None:
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    unscored = as_predictions(np.arange(len(image_ids)), image_ids, boxes.astype(np.float32), points)
    return replace(unscored, box_scores=scores.astype(np.float32), keypoint_scores=keypoints[..., 2].astype(np.float32))


def as_predictions(person_ids: Int64, image_ids: Int64, boxes: Float32, keypoints: Float64) -> Predictions:
    """Return poses [N, K, 2] with scores of 1, in boxes [N, 4] x1, y1, x2, y2."""
    return Predictions(
        person_ids=person_ids,
        image_ids=image_ids,
        boxes=boxes,
        box_scores=np.ones(len(person_ids), np.float32),
        crop_areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2], np.float32),
    )


def read_people(file: ForeignFile[Any], count: int, truth: Floating) -> tuple[Float64, Bool, tuple[str, ...]]:
    """Read an array in the order of the annotations.

    Args:
        file: The predictions.
        count: The number of people.
        truth: Coordinates of the ground truth, of any shape.

    Returns:
        Keypoints [count, K, 2], px counted from 0; which people have a pose, [count], see `has_pose`; and warnings.

    Raises:
        UsageError: The kind of file is not supported, or several arrays fit.
        ObtainError: The file has no such array, or cannot be read.
    """
    protocol = file.protocol
    keypoints = read_keypoints(file.path, (count, protocol.num_keypoints, 2), file.array)
    warnings = check_pixels(file.path, keypoints, truth)
    return keypoints - protocol.one_based, has_pose(keypoints), warnings
