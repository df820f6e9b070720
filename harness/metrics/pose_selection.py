"""Scoring of poses and removal of duplicates before an evaluation, shared by MMPose's CocoMetric and its subclasses."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.metrics.evaluator import number, one_of
from harness.metrics.family import OtherScoring
from harness.protocol import PoseSelection

SCORE_MODES = ("bbox_keypoint", "bbox", "keypoint", "bbox_rle")
NMS = {"oks_nms": "oks", "soft_oks_nms": "soft-oks", "none": "none"}
"""Names in protocols by MMPose's names."""
SELECTION_SETTINGS = frozenset({"score_mode", "keypoint_score_thr", "nms_mode", "nms_thr"})
NMS_THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
KEYPOINT_THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.5)
"""Thresholds that occur in configs, papers or issue threads of MMPose and its predecessors."""


def read_selection(evaluator: Any, sigmas: tuple[float, ...]) -> dict[str, Any]:
    """Return the fields of `PoseSelection` that a config's evaluator states, or MMPose's defaults.

    Raises:
        SpecError: A setting has a value that this metric does not support.
    """
    return {
        "sigmas": sigmas,
        "score_mode": one_of(evaluator, "score_mode", "bbox_keypoint", SCORE_MODES),
        "keypoint_score_threshold": number(evaluator, "keypoint_score_thr", 0.2),
        "nms": NMS[one_of(evaluator, "nms_mode", "oks_nms", NMS)],
        "nms_threshold": number(evaluator, "nms_thr", 0.9),
    }


def other_selections(
    scoring: PoseSelection, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
) -> Iterator[OtherScoring]:
    """Yield other values for each setting of the selection; arguments as in `Family.alternatives`."""
    for mode in SCORE_MODES:
        if mode != scoring.score_mode:
            yield other(scoring, "score_mode", mode, "score mode")
    for name, values in sigmas.items():
        if values != scoring.sigmas:
            yield OtherScoring("sigmas", "the run's", f"{name}'s", {"sigmas": values}, usual=name == dataset)
    for threshold in KEYPOINT_THRESHOLDS:
        if threshold != scoring.keypoint_score_threshold:
            yield other(scoring, "keypoint_score_threshold", threshold, "keypoint threshold")
    for method in NMS.values():
        if method != scoring.nms:
            yield other(scoring, "nms", method, "NMS")
    if scoring.nms != "none":
        for threshold in NMS_THRESHOLDS:
            if threshold != scoring.nms_threshold:
                yield other(scoring, "nms_threshold", threshold, "NMS threshold")


def other(scoring: PoseSelection, field: str, value: Any, setting: str) -> OtherScoring:
    """Return another value of a field, marked as usual if it is the field's default, which is MMPose's."""
    usual = type(scoring).model_fields[field].default == value
    return OtherScoring(setting, _text(getattr(scoring, field)), _text(value), {field: value}, usual)


def selection_of_foreign(scoring: PoseSelection, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields for external predictions: given scores and no NMS, unless options choose MMPose's."""
    return {"score_mode": options.get("score_mode") or "bbox", "nms": options.get("nms") or "none"}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
