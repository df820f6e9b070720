"""A check of the doctor: MMPose's loop and the shared engine, both on the device, same people and weights."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.datasets.people import check_images
from harness.doctor.check import Finding
from harness.doctor.networks import SEED, RunId
from harness.doctor.outcome import NotRun
from harness.errors import ObtainError
from harness.judge.parity import KEYPOINT_TOLERANCE, METRIC_TOLERANCE, SCORE_TOLERANCE
from harness.metrics.match import evaluate
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_conditions import upstream_warp
from harness.predict.upstream_numpy import numpy_1_crops
from harness.predict.upstream_warp import our_warp
from harness.predictions import Predictions
from harness.run.device import has_tf32, torch_defaults
from harness.run.parity import largest_difference, predict_with_ties
from harness.run.plan import Settings, make_plan
from harness.suites.ledger import point_at
from harness.suites.load import DEMO, load_suite, select_rows

PEOPLE = {"cpu": 4, "cuda": 48}
"""Number of people by device type."""
BATCH = {"cpu": 2, "cuda": 16}
"""Batch size by device type. People fill several batches, because a GPU may use a CUDA graph from the second on."""


def check_exactness(run: RunId, device: str, data: Path) -> Finding:
    """Compare the predictions and metrics of both loops, run with the same algorithms.

    MMPose's loop runs twice; differences between its own two runs widen the bound.

    Args:
        run: A published run, which gets seeded weights and so has metrics near 0; or a trained run of the demo.
        device: The device.
        data: A data folder with the images and annotations of the run.

    Raises:
        NotRun: The data folder lacks files of the run.
    """
    suite = load_suite(run[0])
    (row,) = select_rows(suite, run[1])
    kind = torch.device(device).type
    settings = Settings.in_folder(
        data, device, seed=None if run[0] == DEMO else SEED, batch_size=BATCH.get(kind, BATCH["cuda"])
    )
    try:
        plan = make_plan(suite, row, run[2], settings)
        people = plan.people().first_people(PEOPLE.get(kind, PEOPLE["cuda"]))
        check_images(people.images)
    except ObtainError as error:
        raise NotRun(f"needs data: {str(error).splitlines()[0]}") from error
    protocol = plan.protocol.model_copy(update={"limit": len(people.images)})
    network = plan.network()
    changed = upstream_warp() == "opencv-5"

    def theirs() -> tuple[Predictions, Any]:
        config = point_at(plan.config, str(data))  # a copy, because the loop changes it
        warped = our_warp(config) if changed else contextlib.nullcontext()
        with tempfile.TemporaryDirectory() as scratch, numpy_1_crops(config), warped:
            return predict_upstream(network, config, people, protocol, lambda _: None, Path(scratch, "log.txt"))

    with same_algorithms():
        ours, unique = predict_with_ties(network, people, protocol)
        first, metrics = theirs()
        second, _ = theirs()
    by_choice, _ = theirs()
    with torch_defaults():
        by_default = theirs()[0] if has_tf32(device) else None

    same = all(
        np.array_equal(getattr(ours, name), getattr(first, name)) for name in ("person_ids", "boxes", "crop_areas")
    )

    finding = Finding(
        note="MMPose's crops use this project's warp, because this OpenCV has another warpAffine" if changed else ""
    )
    finding.require(same, "the loops differ in people or boxes")
    finding.figures |= {"people": len(people), "compared": int(unique.sum()), "ties": int((~unique).sum())}

    def apart(field: str, one: Predictions, other: Predictions) -> float:
        return float(np.abs(getattr(one, field) - getattr(other, field))[unique].max(initial=0))

    def metrics_apart(one: Predictions, other: Predictions) -> float:
        values = (evaluate(made, protocol, data) for made in (one, other))
        return largest_difference(*values) or 0.0

    own, own_score = (apart(field, second, first) for field in ("keypoints", "keypoint_scores"))
    own_metric = metrics_apart(second, first)
    finding.add("mmpose_twice_px", own)
    finding.add("mmpose_twice_score", own_score)
    finding.add("mmpose_twice_metric", own_metric)
    finding.at_most("keypoint_px", apart("keypoints", ours, first), max(KEYPOINT_TOLERANCE, own))
    finding.at_most("score", apart("keypoint_scores", ours, first), max(SCORE_TOLERANCE, own_score))
    measured = evaluate(ours, protocol, data)
    headline, value = next(iter(measured.items()))
    finding.figures[headline] = None if value is None else round(value, 4)
    moved = max(metrics_apart(ours, first), largest_difference(measured, metrics) or 0.0)
    finding.at_most("metric", moved, max(METRIC_TOLERANCE, own_metric))
    finding.figures["metrics_of"] = "both evaluators" if metrics is not None else "our evaluator"
    finding.add("other_algorithms_px", apart("keypoints", by_choice, first))
    if by_default is not None:
        finding.add("tf32_px", apart("keypoints", by_default, first))
        finding.add("tf32_metric", metrics_apart(by_default, first))
    finding.require(bool(unique.mean() > 0.5), f"only {unique.mean():.0%} of the keypoints can be compared")
    return finding


@contextlib.contextmanager
def same_algorithms() -> Iterator[None]:
    """Let cuDNN choose only deterministic algorithms, by heuristics instead of by measurement."""
    cudnn: Any = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
