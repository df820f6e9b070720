"""Parity: runs both engines on the same people with the same weights, and measures the differences of the results."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float32, Indices
from harness.codecs.interface import codec_of
from harness.datasets.people import People, check_images
from harness.errors import RunError
from harness.judge.parity import Parity
from harness.metrics.match import difference, evaluate
from harness.predict.forward import Forward
from harness.predict.networks import count_flops
from harness.predict.shared import predict_shared
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_numpy import numpy_1_crops
from harness.predictions import Predictions
from harness.protocol import Decoder, Protocol
from harness.run.plan import Settings, make_plan
from harness.suites.ledger import point_at
from harness.suites.schema import Row, Suite

UNIQUE = 1e-4
"""A heatmap's maximum is unique if the second-highest value is lower by this share of it. Otherwise it is a tie, and
rounding decides which of two positions is the keypoint."""


def compare_engines(
    suite: Suite, row: Row, run: str, settings: Settings, log: Path, tflop: float | None = None
) -> Parity:
    """Compare both engines on one run, with the same network.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of the row's runs.
        settings: The data, the weights and the device; the engine is ignored.
        log: The file for MMPose's output.
        tflop: Bound for the network's operations per engine, 10¹²; only as many people as fit are evaluated. None for
            no bound.

    Raises:
        ObtainError: Annotations, boxes, images or weights are missing or have the wrong format.
        RunError: A network fails, or the engines have different people or boxes.
    """
    plan = make_plan(suite, row, run, replace(settings, engine="shared"))
    protocol, everybody, network = plan.protocol, plan.people(), plan.network()
    check_images(everybody.images)
    flop = count_flops(network, protocol.crop.input_size)
    people = everybody
    if tflop is not None:
        affordable = int(tflop * 1e12 / (flop * (2 if protocol.flip.enabled else 1)))
        if affordable < len(people):
            people = people.first_people(max(affordable, 1))
            protocol = protocol.model_copy(update={"limit": len(people.images)})
    ours, unique = predict_with_ties(network, people, protocol)
    config = point_at(plan.config, str(settings.data))
    with numpy_1_crops(config):
        theirs, metrics = predict_upstream(network, config, people, protocol, lambda _: None, log)
    for field in ("person_ids", "image_ids", "boxes", "box_scores", "crop_areas"):
        if not np.array_equal(getattr(ours, field), getattr(theirs, field)):
            raise RunError(f"the engines differ in {field}", "report it: this is a bug")

    distances = np.abs(ours.keypoints - theirs.keypoints).max(axis=-1)
    scores = np.abs(ours.keypoint_scores - theirs.keypoint_scores)
    return Parity(
        id=f"{suite.row_id(row)}/{run}",
        people=len(people),
        people_total=len(everybody),
        gflop=round(flop / 1e9, 1),
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        keypoints_compared=int(unique.sum()),
        ties=int((~unique).sum()),
        keypoint_max_px=float(distances[unique].max(initial=0)),
        tie_max_px=float(distances[~unique].max(initial=0)),
        score_max=float(scores[unique].max(initial=0)),
        metric_max=largest_difference(evaluate(ours, protocol, settings.data), metrics),
    )


def predict_with_ties(network: Any, people: People, protocol: Protocol) -> tuple[Predictions, Bool]:
    """Return the shared engine's predictions for N people, and which keypoints, [N, K], are not ties.

    Raises:
        RunError: An image cannot be read, or the network's outputs are not finite numbers.
    """
    unique = np.zeros((len(people), protocol.num_keypoints), bool)

    def look(index: Indices, outputs: Float32) -> None:
        unique[index] = unique_maxima(protocol.decoder, outputs)

    return predict_shared(Forward(network, protocol), people, protocol, lambda _: None, look), unique


def unique_maxima(decoder: Decoder, outputs: Float32, share: float = UNIQUE) -> Bool:
    """Return for the data set's keypoints [N, K] whether they are not ties in outputs [N, C, ...] (`Codec.unique`)."""
    unique = codec_of(decoder).unique(outputs, decoder, share)
    return unique if decoder.kept is None else unique[:, list(decoder.kept)]


def largest_difference(ours: Mapping[str, float | None], theirs: Mapping[str, float | None] | None) -> float | None:
    """Return the largest `difference` of a metric; None if `theirs` is None."""
    if theirs is None:
        return None
    return max(difference(ours[name], value) for name, value in theirs.items())
