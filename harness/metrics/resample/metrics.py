"""All metrics of a run, in every resample."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.errors import RunError
from harness.metrics.families.jhmdb_pck.score import count_jhmdb, jhmdb_stats
from harness.metrics.families.oks.average_precision import OKS_THRESHOLDS, RECALLS, SIZES, Curves, Matches, coco_stats
from harness.metrics.families.oks.score import match_detections, select_detections
from harness.metrics.families.pckh.score import count_mpii, mpii_stats
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap.score import detect_joints, posetrack_stats
from harness.metrics.families.posetrack_ap.truth import JOINTS, PoseTrackTruth
from harness.metrics.ground_truth import load_ground_truth, scored_images
from harness.metrics.resample.curves import Ranking, resample_curve
from harness.metrics.resample.draws import Draws
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol


def resampled_metrics(predictions: Predictions, protocol: Protocol, data: Path, draws: Draws) -> dict[str, Float64]:
    """Score predictions in every resample, under the ground truth of the data folder.

    Returns:
        [R] fractions by metric, the metrics being those of `evaluate`; NaN where one is undefined.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored, or the draws are of other images.
    """
    truth = load_ground_truth(predictions, protocol, data)
    if not np.array_equal(scored_images(predictions, truth, protocol.scoring), draws.image_ids):
        raise RunError(
            f"predictions: {truth.path} is scored on other images than were drawn",
            "two runs can be compared where both cover the same images",
        )
    match (protocol.scoring, truth):
        case (OksScoring() as scoring, Truth()):
            return resample_oks(predictions, scoring, truth, draws)
        case (PoseTrackScoring() as scoring, PoseTrackTruth()):
            return resample_posetrack(predictions, scoring, truth, draws)
        case (JhmdbScoring() as scoring, Truth()):
            return resample_jhmdb(predictions, scoring, truth, draws)
        case (PckhScoring(), MpiiTruth()):
            return resample_mpii(predictions, truth, draws)
    raise TypeError(f"{truth} is no truth for {protocol.scoring}")


def resample_oks(predictions: Predictions, scoring: OksScoring, truth: Truth, draws: Draws) -> dict[str, Float64]:
    """Return `score_oks` in every resample; draws and results as of `resampled_metrics`."""
    matches = match_detections(select_detections(predictions, scoring), scoring, truth)
    whole = [coco_stats(curves) for curves in _curves(matches, draws)]
    if not scoring.crowd:
        return _columns(whole)
    # As crowdpose_stats: by crowd index, and rounded.
    stats = [{name: one[name] for name in ("AP", "AP@0.5", "AP@0.75", "AR", "AR@0.5", "AR@0.75")} for one in whole]
    crowd_index = dict(zip(truth.image_ids.tolist(), truth.crowd_indices.tolist(), strict=True))
    grades = np.digitize([crowd_index[image] for image in matches.image_ids.tolist()], [0.2, 0.8])
    for grade, name in enumerate(("AP(E)", "AP(M)", "AP(H)")):
        for one, curves in zip(stats, _curves(matches, draws, grades == grade), strict=True):
            one[name] = round(float(curves.precision[:, :, 0].mean()), 4)
    return _columns(stats)


def _curves(matches: Matches, draws: Draws, images: Bool | None = None) -> list[Curves]:
    """Accumulate matches in every resample, over all images or over those marked in `images` [I]."""
    resamples, units = draws.counts.shape
    unit_of_image = draws.units_of(matches.image_ids)
    counted = np.ones(len(matches.image_ids), bool) if images is None else images
    detections = np.flatnonzero(counted[matches.detection_images])
    detections = detections[np.argsort(-matches.scores[detections], kind="stable")]
    people = np.flatnonzero(counted[matches.person_images])
    precision = np.empty((resamples, len(OKS_THRESHOLDS), len(RECALLS), len(SIZES)))
    recall = np.empty((resamples, len(OKS_THRESHOLDS), len(SIZES)))

    def accumulate(size: int, threshold: int) -> None:
        ranked = detections[~matches.ignored[size, threshold, detections]]
        ranking = Ranking.of(
            unit_of_image[matches.detection_images[ranked]],
            matches.scores[ranked],
            matches.matched[size, threshold, ranked],
        )
        found = people[~matches.person_ignored[size, people]]
        to_find = np.bincount(unit_of_image[matches.person_images[found]], minlength=units)
        resampled = resample_curve(ranking, to_find, draws.counts, RECALLS)
        precision[:, threshold, :, size], recall[:, threshold, size] = resampled.precision, resampled.recall

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda index: accumulate(*index), np.ndindex(len(SIZES), len(OKS_THRESHOLDS))))
    return [Curves(*curves) for curves in zip(precision, recall, strict=True)]


def resample_posetrack(
    predictions: Predictions, scoring: PoseTrackScoring, truth: PoseTrackTruth, draws: Draws
) -> dict[str, Float64]:
    """Return `score_posetrack` in every resample; draws and results as of `resampled_metrics`."""
    detections = detect_joints(predictions, scoring, truth)
    unit_of_frame = draws.units_of(truth.image_ids)
    by_joint = np.empty((len(draws.counts), len(JOINTS)))
    for joint in range(len(JOINTS)):
        ranked = detections.ranked(joint)
        ranking = Ranking.of(
            unit_of_frame[detections.frames[ranked]],
            detections.scores[ranked, joint],
            detections.correct[ranked, joint],
        )
        shown = truth.person_images[truth.annotated[:, joint]]
        to_find = np.bincount(unit_of_frame[shown], minlength=draws.counts.shape[1])
        by_joint[:, joint] = resample_curve(ranking, to_find, draws.counts, RECALLS).area
    return _columns([posetrack_stats(joints) for joints in by_joint])


def resample_mpii(predictions: Predictions, truth: MpiiTruth, draws: Draws) -> dict[str, Float64]:
    """Return `score_mpii` in every resample; draws and results as of `resampled_metrics`."""
    rows, joints = count_mpii(predictions, truth)
    return _columns([mpii_stats(sums) for sums in _sums(joints, predictions.image_ids[rows], draws)])


def resample_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth, draws: Draws) -> dict[str, Float64]:
    """Return `score_jhmdb` in every resample; draws and results as of `resampled_metrics`."""
    rows, joints = count_jhmdb(predictions, scoring, truth)
    return _columns([jhmdb_stats(sums) for sums in _sums(joints, predictions.image_ids[rows], draws)])


def _sums(joints: Bool, image_ids: Int64, draws: Draws) -> Int64:
    """Return how many of N people's joints [N, C, K] are marked in every resample, [R, C, K]."""
    of_unit = np.zeros((draws.counts.shape[1], *joints.shape[1:]))
    np.add.at(of_unit, draws.units_of(image_ids), joints)
    return np.tensordot(draws.counts.astype(np.float64), of_unit, axes=1).astype(np.int64)


def _columns(stats: Sequence[Mapping[str, float | None]]) -> dict[str, Float64]:
    """Return the values of each stat; NaN for None and for COCO's -1."""
    columns = {name: np.array([one[name] for one in stats], np.float64) for name in stats[0]}
    return {name: np.where(values == -1, np.nan, values) for name, values in columns.items()}
