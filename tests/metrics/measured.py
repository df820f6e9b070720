"""Metrics and diagnosis of predictions for each metric family, without files."""

from collections.abc import Mapping, Sequence

from harness.arrays import Float64
from harness.metrics.detections import Detections
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.jhmdb_pck.score import match_jhmdb
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.oks.score import match_detections, match_oks
from harness.metrics.families.pckh.score import match_mpii
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.score import match_posetrack
from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth
from harness.metrics.family import Labels, Metrics
from harness.metrics.resample import Draws
from harness.metrics.truth import Truth
from harness.predictions import Predictions

Names = Sequence[str]
Mirror = Sequence[int]
Images = Mapping[int, str]


def score_oks(predictions: Predictions, scoring: OksScoring, truth: Truth) -> Metrics:
    return match_oks(predictions, scoring, truth).stats()


def score_detections(detections: Detections, scoring: OksScoring, truth: Truth) -> Metrics:
    return match_detections(detections, scoring, truth).stats()


def score_mpii(predictions: Predictions, truth: MpiiTruth) -> Metrics:
    return match_mpii(predictions, truth).stats()


def score_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth) -> Metrics:
    return match_jhmdb(predictions, scoring, truth).stats()


def score_posetrack(predictions: Predictions, scoring: PoseTrackScoring, truth: PoseTrackTruth) -> Metrics:
    return match_posetrack(predictions, scoring, truth).stats()


def resample_oks(predictions: Predictions, scoring: OksScoring, truth: Truth, draws: Draws) -> dict[str, Float64]:
    return match_oks(predictions, scoring, truth).resampled(draws)


def resample_mpii(predictions: Predictions, truth: MpiiTruth, draws: Draws) -> dict[str, Float64]:
    return match_mpii(predictions, truth).resampled(draws)


def resample_jhmdb(predictions: Predictions, scoring: JhmdbScoring, truth: Truth, draws: Draws) -> dict[str, Float64]:
    return match_jhmdb(predictions, scoring, truth).resampled(draws)


def resample_posetrack(
    predictions: Predictions, scoring: PoseTrackScoring, truth: PoseTrackTruth, draws: Draws
) -> dict[str, Float64]:
    return match_posetrack(predictions, scoring, truth).resampled(draws)


def diagnose_oks(
    predictions: Predictions, scoring: OksScoring, truth: Truth, mirror: Mirror, names: Names, images: Images
) -> Diagnosis:
    return match_oks(predictions, scoring, truth).diagnosis(Labels(names, mirror, images))


def diagnose_mpii(
    predictions: Predictions, truth: MpiiTruth, mirror: Mirror, names: Names, images: Images
) -> Diagnosis:
    return match_mpii(predictions, truth).diagnosis(Labels(names, mirror, images))


def diagnose_jhmdb(
    predictions: Predictions, scoring: JhmdbScoring, truth: Truth, mirror: Mirror, names: Names, images: Images
) -> Diagnosis:
    return match_jhmdb(predictions, scoring, truth).diagnosis(Labels(names, mirror, images))


def diagnose_posetrack(
    predictions: Predictions,
    scoring: PoseTrackScoring,
    truth: PoseTrackTruth,
    mirror: Mirror,
    names: Names,
    images: Images,
) -> Diagnosis:
    return match_posetrack(predictions, scoring, truth).diagnosis(Labels(names, mirror, images))
