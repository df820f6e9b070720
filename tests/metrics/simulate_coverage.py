"""Measures how often intervals cover the true value, and how often false differences are found: `nox -s coverage`.

Each process is scored once on a very large data set, which gives the true value, and then on many small ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.arrays import Float64, Indices, Int64
from harness.metrics.resample.draws import Draws, Unit
from harness.metrics.resample.interval import Difference, interval, paired_difference
from harness.predictions import Predictions

from . import simulated
from .measured import resample_jhmdb, resample_oks, resample_posetrack, score_jhmdb, score_oks, score_posetrack

LARGE = 100
"""Size of the data set for the true value relative to the others: its own error is a tenth of theirs."""
ERROR_OF_1_AP = 1.038
"""Factor on the keypoint errors of a network that costs 1 AP."""


@dataclass(frozen=True)
class Process:
    """A process that generates data sets, and their scoring."""

    unit: Unit
    units: int
    draw: Callable[[np.random.Generator, int], tuple[Predictions, Any]]
    """Draws predictions and ground truth for a number of units."""
    score: Callable[[Predictions, Any], dict[str, float | None]]
    resample: Callable[[Predictions, Any, Draws], dict[str, Float64]]
    metrics: tuple[str, ...]

    def unit_of_image(self, image_ids: Int64) -> Indices:
        return image_ids // simulated.FRAMES if self.unit == "video" else image_ids


COCO = Process(
    unit="image",
    units=300,
    draw=simulated.coco,
    score=lambda predictions, truth: score_oks(predictions, simulated.OKS, truth),
    resample=lambda predictions, truth, draws: resample_oks(predictions, simulated.OKS, truth, draws),
    metrics=("AP", "AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.75"),
)
JHMDB = Process(
    unit="video",
    units=80,
    draw=simulated.jhmdb,
    score=lambda predictions, truth: score_jhmdb(predictions, simulated.JHMDB, truth),
    resample=lambda predictions, truth, draws: resample_jhmdb(predictions, simulated.JHMDB, truth, draws),
    metrics=("PCK(person)", "PCK(torso)", "PCK(person, wrist)"),
)
POSETRACK = Process(
    unit="video",
    units=74,
    draw=simulated.posetrack,
    score=lambda predictions, truth: score_posetrack(predictions, simulated.POSETRACK, truth),
    resample=lambda predictions, truth, draws: resample_posetrack(predictions, simulated.POSETRACK, truth, draws),
    metrics=("AP", "AP(head)", "AP(ankle)"),
)


def coverage(process: Process, data_sets: int, resamples: int, by_image: bool = False) -> dict[str, float]:
    """Return for each metric the share of data sets whose 95 % interval covers the true value.

    Args:
        process: The process that the data sets are drawn from.
        data_sets: Number of data sets.
        resamples: Number of resamples per data set.
        by_image: Draw images even if they come from videos, which is wrong.
    """
    true = process.score(*process.draw(np.random.default_rng(0), LARGE * process.units))
    covered = dict.fromkeys(process.metrics, 0)
    for seed in range(1, data_sets + 1):
        predictions, truth = process.draw(np.random.default_rng(seed), process.units)
        units = truth.image_ids if by_image else process.unit_of_image(truth.image_ids)
        draws = Draws.of_units(process.unit, truth.image_ids, units, resamples, seed)
        resampled = process.resample(predictions, truth, draws)
        for name in process.metrics:
            ends, value = interval(resampled[name]), true[name]
            assert ends is not None
            assert value is not None
            covered[name] += ends[0] <= value <= ends[1]
    return {name: count / data_sets for name, count in covered.items()}


def difference_of_networks(seed: int, images: int, resamples: int, error: float = 1.0) -> Difference:
    """Compare the AP of two networks on the same images; the second one's keypoint errors are larger by a factor."""
    runs = [simulated.coco(np.random.default_rng(seed), images, *network) for network in ((1, 1.0), (2, error))]
    draws = Draws.of_units("image", np.arange(images), np.arange(images), resamples, seed)
    ours, theirs = (resample_oks(found, simulated.OKS, truth, draws)["AP"] for found, truth in runs)
    difference = paired_difference(ours, theirs)
    assert difference is not None
    return difference


@pytest.mark.parametrize("process", [COCO, JHMDB, POSETRACK], ids=["coco", "jhmdb", "posetrack"])
def test_intervals_cover_the_true_value(process: Process) -> None:
    found = coverage(process, data_sets=200, resamples=1000)
    print(*(f"\n{name:20} {share:.1%}" for name, share in found.items()))
    assert all(0.90 <= share <= 0.98 for share in found.values()), found


def test_no_difference_is_found_one_time_in_twenty() -> None:
    differences = [difference_of_networks(seed, images=300, resamples=1000) for seed in range(200)]
    found = np.mean([difference.p_value < 0.05 for difference in differences])
    covered = np.mean([difference.low <= 0 <= difference.high for difference in differences])
    print(f"\n{found:.1%} found, {covered:.1%} covered")
    assert 0.02 <= found <= 0.10
    assert 0.90 <= covered <= 0.98
