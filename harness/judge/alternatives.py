"""Other ways to read and score the same predictions: settings that people get wrong, or papers leave unsaid.

Each changes one setting; none needs the network.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.judge.explanation import TriedSetting
from harness.metrics.family import family_of
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.suites.schema import Claim

Scored = tuple[Predictions, Protocol]
Metrics = Mapping[str, float | None]

BOX_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""They are found in configs, papers or threads of MMPose and its forerunners."""


@dataclass(frozen=True)
class Alternative:
    """One setting changed."""

    change: TriedSetting
    apply: Callable[[Predictions, Protocol], Scored]
    """Makes the changed predictions and protocol; the given ones stay."""


def scoring_alternatives(
    protocol: Protocol, own: str, sigmas: Mapping[str, tuple[float, ...]]
) -> Iterator[Alternative]:
    """Yield all that apply to a protocol.

    Args:
        protocol: The run's.
        own: The data set.
        sigmas: Those of data sets with as many keypoints, by data set.
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
    heatmap_size = protocol.decoder.heatmap_size
    strides = (1, 1) if heatmap_size is None else np.divide(protocol.crop.input_size, heatmap_size)
    if strides[0] != strides[1]:
        yield Alternative(TriedSetting("map back to the image", "both strides", "the width's stride"), _width_only)
    for first, second in enumerate(protocol.flip_indices):
        if first < second:
            change = TriedSetting("keypoint order", "as given", f"{first} and {second} swapped")
            yield Alternative(change, _swapper(first, second))


def misreadings(claims: Sequence[Claim], measured: Metrics) -> Iterator[tuple[TriedSetting, Metrics]]:
    """Yield what claims may mean if a printed metric is really another one of its kind, such as AR that is AR@0.75."""
    for metric in dict.fromkeys(claim.metric for claim in claims):
        for other, value in measured.items():
            if other != metric and _kind(other) == _kind(metric):
                yield TriedSetting("claimed metric", metric, other), {**measured, metric: value}


def _kind(metric: str) -> str:
    """Return what a metric's name begins with: AP of `AP@0.5` and `AP(M)`."""
    return re.split(r"[^A-Za-z]", metric, maxsplit=1)[0]


def _with(fields: Mapping[str, Any]) -> Callable[[Predictions, Protocol], Scored]:
    def apply(predictions: Predictions, protocol: Protocol) -> Scored:
        return predictions, protocol.model_copy(update={"scoring": protocol.scoring.model_copy(update=fields)})

    return apply


def _dropper(threshold: float) -> Callable[[Predictions, Protocol], Scored]:
    def apply(predictions: Predictions, protocol: Protocol) -> Scored:
        return predictions.where(predictions.box_scores >= threshold), protocol

    return apply


def _swapper(first: int, second: int) -> Callable[[Predictions, Protocol], Scored]:
    def apply(predictions: Predictions, protocol: Protocol) -> Scored:
        order = np.arange(protocol.num_keypoints)
        order[[first, second]] = second, first
        keypoints, scores = predictions.keypoints[:, order], predictions.keypoint_scores[:, order]
        return replace(predictions, keypoints=keypoints, keypoint_scores=scores), protocol

    return apply


def _width_only(predictions: Predictions, protocol: Protocol) -> Scored:
    """Map keypoints back by the width's stride in both directions, as MMPose's transform_preds did until 12a0e1e67."""
    across, down = np.divide(protocol.crop.input_size, protocol.decoder.map_size)
    middle = (predictions.boxes[:, 1] + predictions.boxes[:, 3])[:, None] / 2
    keypoints = predictions.keypoints.copy()
    keypoints[..., 1] = middle + (keypoints[..., 1] - middle) * across / down
    return replace(predictions, keypoints=keypoints), protocol
