"""Measures a run's predictions; needs no torch, so that other processes can do it too."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.metrics.diagnosis.diagnose import diagnose
from harness.metrics.match import match
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import Resampling
from harness.run.intervals import measure_intervals
from harness.run_folder import RunFolder


@dataclass(frozen=True)
class Measures:
    """The measurements that go into the record."""

    metrics: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]
    resampling: Resampling | None
    timings: dict[str, float]
    """Seconds."""


def measure(
    folder: RunFolder, protocol: Protocol, data: Path, names: Sequence[str], predictions: Predictions | None = None
) -> Measures:
    """Score the predictions of a run folder, and write their diagnosis there.

    Args:
        folder: The run folder.
        protocol: The protocol of the predictions and their scoring.
        data: An MMPose data/ folder.
        names: Names of the keypoints.
        predictions: The predictions of the folder, if already loaded.

    Raises:
        ObtainError: The predictions or annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored.
    """
    predictions = predictions or Predictions.load(folder.predictions)
    start = time.perf_counter()
    matched = match(predictions, protocol, data)
    metrics = matched.stats()
    evaluated = time.perf_counter()
    intervals, resampling = measure_intervals(matched, protocol, data)
    resampled = time.perf_counter()
    diagnose(matched, protocol, data, names).save(folder.diagnosis)
    ends = {"score": evaluated, "intervals": resampled, "diagnosis": time.perf_counter()}
    timings = dict(zip(ends, np.diff([start, *ends.values()]).round(3).tolist(), strict=True))
    return Measures(metrics, intervals, resampling, timings)
