"""Saved predictions and the ground truth of their run, matched: the value that all measures are taken of."""

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

    A partial run is scored on the images that it covers, and on those only.

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
    """Read the truth of all images, of the type that the family of the protocol's scoring has.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
    """
    scoring = protocol.scoring
    source = truth_files(protocol, lambda file, what: same_file(data, file, what))
    digests = protocol.annotations.sha256, *(file.sha256 for file in scoring.files.values())
    return _read_truth(scoring.metric, source, digests)


@lru_cache(maxsize=1)
def _read_truth(family: str, source: TruthFiles, digests: tuple[str, ...]) -> Any:
    """Read once for all rows of a table; the digests tell files from later ones of their names."""
    return plugin("metrics", family, "scoring.metric").read_truth(source)


def evaluate(predictions: Predictions, protocol: Protocol, data: Path) -> Metrics:
    """Return the metrics of predictions; raises as `match`."""
    return match(predictions, protocol, data).stats()


def difference(a: float | None, b: float | None) -> float:
    """Return how far two values of a metric are apart; 1, more than any tolerance, where only one is defined.

    Of fractions it is their difference; of values above 1, which are in px, the difference as a part of the larger one:
    MMPose sums px in single precision, and with NumPy 2 rounds the mean to it.
    """
    return float(a is not b) if a is None or b is None else abs(a - b) / max(1, abs(a), abs(b))
