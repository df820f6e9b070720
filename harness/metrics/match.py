"""Matches saved predictions with the ground truth of their run; all metrics are computed from the result."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.assets.dataset import same_file
from harness.metrics.family import Matched, Metrics, TruthFiles, family_of, truth_files
from harness.plugins import plugin
from harness.predictions import Predictions
from harness.protocol import Protocol


def match(predictions: Predictions, protocol: Protocol, data: Path) -> Matched:
    """Match predictions with the ground truth of the data folder, by the protocol's rules.

    A partial run is scored on its images only.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored.
    """
    family = family_of(protocol.scoring)
    truth = read_truth(protocol, data)
    if protocol.limit is not None:
        truth = family.restricted(truth, np.unique(predictions.image_ids))
    return family.match(predictions, protocol.scoring, truth)


def read_truth(protocol: Protocol, data: Path) -> Any:
    """Return the ground truth of all images, in the type of the family of the protocol's scoring.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
    """
    source = truth_files(protocol, lambda file, what: same_file(data, file, what))
    return _read_truth(protocol.scoring.metric, source, protocol.truth_digests)


@lru_cache(maxsize=1)
def _read_truth(family: str, source: TruthFiles, digests: tuple[str, ...]) -> Any:
    """Read the ground truth once for all rows of a table; `digests` make sure that a changed file is read again."""
    return plugin("metrics", family, "scoring.metric").read_truth(source)


def evaluate(predictions: Predictions, protocol: Protocol, data: Path) -> Metrics:
    """Return the metrics of predictions; raises the errors of `match`."""
    return match(predictions, protocol, data).stats()


def difference(a: float | None, b: float | None) -> float:
    """Return the distance of two values of a metric; 1, which is above every tolerance, if only one is defined.

    For fractions, it is the absolute difference. For values above 1, which are in px, it is relative to the larger one:
    MMPose sums px in single precision, and with NumPy 2 also rounds the mean to single precision.
    """
    return float(a is not b) if a is None or b is None else abs(a - b) / max(1, abs(a), abs(b))
