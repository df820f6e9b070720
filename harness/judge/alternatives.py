"""Other ways to read and score the same predictions, for `harness explain`.

Each alternative changes one setting that is often wrong in practice or not stated in papers. None needs the network.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.judge.explanation import CLAIMED_METRIC, TriedSetting
from harness.judge.moved_keypoints import Move, keypoint_moves
from harness.metrics.family import family_of
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.suites.schema import Claim

Scored = tuple[Predictions, Protocol]
Metrics = Mapping[str, float | None]

BOX_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Thresholds that occur in configs, papers or issue threads of MMPose and its predecessors."""


@dataclass(frozen=True)
class Alternative:
    """One changed setting."""

    change: TriedSetting
    apply: Callable[[Predictions, Protocol], Scored]
    """Returns changed copies of the predictions and the protocol; does not modify its arguments."""


def scoring_alternatives(
    protocol: Protocol, own: str, sigmas: Mapping[str, tuple[float, ...]]
) -> Iterator[Alternative]:
    """Yield all alternatives that apply to a protocol.

    Args:
        protocol: The run's protocol.
        own: The name of the run's data set.
        sigmas: The OKS sigmas of data sets with the same number of keypoints, by data set.
    """
    for other in family_of(protocol.scoring).alternatives(protocol.scoring, own, sigmas):
        yield Alternative(TriedSetting(other.setting, other.used, other.tried, other.usual), _with(other.fields))
    if protocol.boxes.source == "detector":
        used = protocol.boxes.score_threshold or 0.0
        for threshold in BOX_THRESHOLDS:
            if threshold > used:
                yield Alternative(
                    TriedSetting("box score threshold", f"{used:g}", f"{threshold:g}"), _dropper(threshold)
                )
        yield Alternative(TriedSetting("box scores", "the detector's", "1"), _with_scores_of_1)
    yield Alternative(TriedSetting("area for NMS", "as saved", "the box's"), _with_areas_of_boxes)
    yield Alternative(TriedSetting("area for NMS", "as saved", "the padded crop's"), _with_areas_of_crops)
    for change, move in keypoint_moves(protocol):
        yield Alternative(change, _moved(move))


def misreadings(claims: Sequence[Claim], measured: Metrics) -> Iterator[tuple[TriedSetting, Metrics]]:
    """Yield the metrics that result if a claimed metric is in fact another one of its kind.

    For example, a table may print AR@0.75 in its column AR.
    """
    for metric in dict.fromkeys(claim.metric for claim in claims):
        for other, value in measured.items():
            if other != metric and _kind(other) == _kind(metric):
                yield TriedSetting(CLAIMED_METRIC, metric, other), {**measured, metric: value}


def _kind(metric: str) -> str:
    """Return the letters at the start of a metric's name: AP for `AP@0.5` and `AP(M)`."""
    return re.split(r"[^A-Za-z]", metric, maxsplit=1)[0]


def _with(fields: Mapping[str, Any]) -> Callable[[Predictions, Protocol], Scored]:
    def apply(predictions: Predictions, protocol: Protocol) -> Scored:
        return predictions, protocol.model_copy(update={"scoring": protocol.scoring.model_copy(update=fields)})

    return apply


def _dropper(threshold: float) -> Callable[[Predictions, Protocol], Scored]:
    def apply(predictions: Predictions, protocol: Protocol) -> Scored:
        return predictions.where(predictions.box_scores >= threshold), protocol

    return apply


def _with_scores_of_1(predictions: Predictions, protocol: Protocol) -> Scored:
    return replace(predictions, box_scores=np.ones_like(predictions.box_scores)), protocol


def _with_areas_of_boxes(predictions: Predictions, protocol: Protocol) -> Scored:
    return replace(predictions, crop_areas=predictions.sizes.prod(axis=1)), protocol


def _with_areas_of_crops(predictions: Predictions, protocol: Protocol) -> Scored:
    areas = padded_sizes(predictions.sizes, protocol.crop).prod(axis=1)
    return replace(predictions, crop_areas=areas), protocol


def _moved(move: Move) -> Callable[[Predictions, Protocol], Scored]:
    return lambda predictions, protocol: (move(predictions, protocol), protocol)
