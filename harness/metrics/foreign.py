"""Scores what another framework predicted, under a suite's own ground truth; needs annotations, no images.

OKS suites take a COCO results file; PoseTrack18 takes its official files, one for each sequence; MPII and JHMDB take an
array of keypoints in the order of the annotations. Poses and their scores count as they are: no rescoring and no NMS
unless asked for.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from harness.arrays import Float32, Float64, Int64
from harness.assets.dataset import data_file
from harness.datasets.coco_file import read_coco
from harness.errors import ObtainError, UsageError
from harness.fields import Fields
from harness.files import sha256_file, sha256_folder
from harness.metrics.detections import load_results_json
from harness.metrics.families.jhmdb_pck.score import score_jhmdb
from harness.metrics.families.oks.score import score_detections, score_oks
from harness.metrics.families.pckh.score import score_mpii
from harness.metrics.families.pckh.truth import load_mpii
from harness.metrics.families.posetrack_ap.results import check_finite, load_posetrack_results
from harness.metrics.families.posetrack_ap.score import score_posetrack
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.metrics.keypoint_arrays import read_keypoints
from harness.metrics.pose_score import ScoreMode
from harness.metrics.truth import load_truth
from harness.predict.people import load_people
from harness.predictions import Predictions
from harness.protocol import (
    DataFile,
    JhmdbScoring,
    OksScoring,
    PckhScoring,
    PoseSelection,
    PoseTrackScoring,
    Scoring,
)
from harness.suites.configs import load_config
from harness.suites.ledger import annotation_path, read_scoring
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Run, Suite

SCHEMA_VERSION = 1

Nms = Literal["oks", "soft-oks", "none"]


class ForeignProtocol(Fields):
    """What moves the number of predictions that were made elsewhere."""

    dataset: str
    """MMPose's class that reads it, e.g. CocoDataset."""
    annotations: DataFile
    num_keypoints: int
    one_based: bool
    """The predictions count pixels from 1."""
    scoring: Scoring
    """A pose's own score stands for its box's: with score_mode bbox and no NMS, poses count as they are."""


class ForeignScore(Fields):
    """What a file of predictions scores."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    run: str
    predictions: str
    """The file, or the folder with a file for each sequence."""
    sha256: str
    """Of the file, or over the names and contents of the folder's *.json files."""
    protocol: ForeignProtocol
    metrics: dict[str, float | None]
    """Fractions by metric; None where a metric is undefined."""


def score_foreign(
    suite: Suite,
    path: Path,
    data: Path,
    *,
    run: str | None = None,
    array: str | None = None,
    one_based: bool = False,
    score_mode: ScoreMode | None = None,
    nms: Nms | None = None,
) -> ForeignScore:
    """Score a file of predictions under a suite.

    Args:
        suite: Says how to score, by the config of its first row.
        path: The predictions.
        data: The data folder; only its annotations are read.
        run: Which run of the row, and so which annotations; None where there is only one.
        array: The name of the keypoints in a file with several arrays.
        one_based: Keypoints count pixels from 1; MPII and JHMDB.
        score_mode: Score poses anew as MMPose's CocoMetric does, each pose's own score in place of its box's.
        nms: Drop duplicates as MMPose's CocoMetric does, at the suite's threshold.

    Raises:
        UsageError: An option that does not go with the suite, or that has to be given.
        ObtainError: Predictions or annotations are missing, malformed or do not fit each other.
    """
    run, spec = _run(suite, run)
    protocol = read_foreign_protocol(suite, spec, data)
    scoring = protocol.scoring
    selects = isinstance(scoring, PoseSelection)
    options = {"--array": array, "--one-based": one_based} if selects else {"--score-mode": score_mode, "--nms": nms}
    for option, value in options.items():
        if value:
            raise UsageError(f"{option} does not go with {suite.name}")
    if selects:
        scoring = scoring.model_copy(update={"score_mode": score_mode or "bbox", "nms": nms or "none"})
    if isinstance(scoring, PoseTrackScoring) and score_mode and scoring.nms == "none":
        raise UsageError(f"--score-mode does nothing in {suite.name} without --nms: joints rank by their own scores")
    protocol = protocol.model_copy(update={"one_based": one_based, "scoring": scoring})
    sha256 = _sha256(path)
    return ForeignScore(
        suite=suite.name,
        run=run,
        predictions=str(path),
        sha256=sha256,
        protocol=protocol,
        metrics=_metrics(path, protocol, data, array),
    )


def read_foreign_protocol(suite: Suite, run: Run, data: Path) -> ForeignProtocol:
    """Read how the config of a run of the suite's first row scores.

    Raises:
        SpecError: The config cannot be loaded, or asks for what is not evaluated here.
        ObtainError: Annotations are missing.
    """
    config = load_config(suite, suite.rows[0], run)
    dataset = config.test_dataloader.dataset

    def identified(path: str, what: str) -> DataFile:
        return data_file(data, path, what)

    return ForeignProtocol(
        dataset=dataset.type,
        annotations=identified(annotation_path(config), "the annotation file"),
        num_keypoints=len(read_metainfo(dataset).names),
        one_based=False,
        scoring=read_scoring(config, identified),
    )


def _run(suite: Suite, name: str | None) -> tuple[str, Run]:
    runs = suite.rows[0].runs
    if name is None and len(runs) == 1:
        return next(iter(runs.items()))
    if name is None:
        raise UsageError(f"{suite.name} has several annotation files", f"choose one with --run: {', '.join(runs)}")
    if name not in runs:
        raise UsageError(f"{suite.name} has no run {name}", f"its runs: {', '.join(runs)}")
    return name, runs[name]


def _sha256(path: Path) -> str:
    try:
        return sha256_folder(path, "*.json") if path.is_dir() else sha256_file(path)
    except OSError as error:
        raise ObtainError(f"there are no predictions: {path} ({error.strerror})") from error


def _metrics(path: Path, protocol: ForeignProtocol, data: Path, array: str | None) -> dict[str, float | None]:
    annotations = data / protocol.annotations.path
    match protocol.scoring:
        case OksScoring() as scoring:
            return _score_results(path, protocol, scoring, annotations)
        case PoseTrackScoring() as scoring:
            return _score_sequences(path, scoring, data)
        case PckhScoring() as scoring:
            mpii = load_mpii(annotations, data / scoring.headboxes.path)
            count = len(mpii.joints)
            keypoints = read_keypoints(path, (count, protocol.num_keypoints, 2), array) - protocol.one_based
            nowhere = np.zeros((count, 4), np.float32)
            return score_mpii(_predictions(np.arange(count), np.zeros(count, np.int64), nowhere, keypoints), mpii)
        case JhmdbScoring() as scoring:
            truth = load_truth(annotations, protocol.num_keypoints)
            people = load_people(protocol.dataset, annotations, data, None, None)  # whom MMPose evaluates, with boxes
            ids = read_coco(annotations).annotations.ids.values.tolist()
            keypoints = read_keypoints(path, (len(ids), protocol.num_keypoints, 2), array) - protocol.one_based
            rows = {person: row for row, person in enumerate(ids)}
            keypoints = keypoints[[rows[person] for person in people.ids.tolist()]]
            return score_jhmdb(_predictions(people.ids, people.image_ids, people.boxes, keypoints), scoring, truth)


def _score_results(
    path: Path, protocol: ForeignProtocol, scoring: OksScoring, annotations: Path
) -> dict[str, float | None]:
    truth = load_truth(annotations, protocol.num_keypoints, areas=scoring.area == "annotation", crowd=scoring.crowd)
    detections = load_results_json(path, protocol.num_keypoints)
    check_finite(path, "keypoints", detections.keypoints)
    check_finite(path, "score", detections.scores)
    _check_images(path, detections.image_ids, truth.image_ids, annotations)
    boxes = detections.boxes
    if boxes is not None:
        check_finite(path, "bbox", boxes)
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    if scoring.score_mode == "bbox" and scoring.nms == "none":
        return score_detections(detections, scoring, truth)
    poses = _scored_poses(detections.image_ids, boxes, detections.keypoints, detections.scores)
    return score_oks(poses, scoring, truth)


def _score_sequences(path: Path, scoring: PoseTrackScoring, data: Path) -> dict[str, float | None]:
    truth = load_posetrack(data / scoring.sequences.path)
    needs_scores = scoring.nms != "none" and scoring.score_mode != "keypoint"
    results = load_posetrack_results(path, needs_scores)
    _check_images(path, results.image_ids, truth.image_ids, truth.path)
    missing = np.setdiff1d(truth.image_ids[truth.person_images], results.frames)
    if len(missing):
        raise ObtainError(
            f"{path}: {len(missing)} frames with people are not among its 'images', such as {missing[0]}",
            f"it takes a file for each of the sequences in {truth.path}, with all their frames",
        )
    return score_posetrack(_scored_poses(results.image_ids, None, results.keypoints, results.scores), scoring, truth)


def _check_images(path: Path, images: Int64, known: Int64, truth: Path) -> None:
    strays = np.setdiff1d(images, known)
    if len(strays):
        raise ObtainError(f"{path}: poses in {len(strays)} images that {truth} does not have, such as {strays[0]}")


def _scored_poses(image_ids: Int64, boxes: Float64 | None, keypoints: Float64, scores: Float64) -> Predictions:
    """Return poses with [N, K, 3] keypoints for rescoring and NMS, which MMPose does in single precision.

    A pose's scale in the NMS, which MMPose takes from the crop, is the area of its box, or of the extent of its
    keypoints, which is what MMPose takes where there is no crop.
    """
    points = keypoints[..., :2]
    if boxes is None:
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    unscored = _predictions(np.arange(len(image_ids)), image_ids, boxes.astype(np.float32), points)
    return replace(unscored, box_scores=scores.astype(np.float32), keypoint_scores=keypoints[..., 2].astype(np.float32))


def _predictions(person_ids: Int64, image_ids: Int64, boxes: Float32, keypoints: Float64) -> Predictions:
    return Predictions(
        person_ids=person_ids,
        image_ids=image_ids,
        boxes=boxes,
        box_scores=np.ones(len(person_ids), np.float32),
        crop_areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2], np.float32),
    )
