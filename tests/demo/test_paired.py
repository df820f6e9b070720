"""The paired test on the demo set finds a planted difference of 1 AP, and none between equal networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.metrics.match import evaluate, match
from harness.metrics.resample import Draws, draw, paired_difference, resampled_metrics
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.run_folder import RunFolder

SEEDS = range(20)
Scored = tuple[Predictions, Protocol, Path]


@pytest.fixture(scope="module")
def scored(demo: Path) -> Scored:
    """Return the committed predictions of a row, with the errors of its network."""
    folder = RunFolder(Path(__file__).parents[2] / "results/demo/litehrnet-18-128x96/val")
    return Predictions.load(folder.predictions), Protocol.load(folder.protocol), demo


@pytest.fixture(scope="module")
def draws(scored: Scored) -> Draws:
    return draw(match(*scored), *scored[1:])


def ap(predictions: Predictions, scored: Scored) -> float:
    value = evaluate(predictions, *scored[1:])["AP"]
    assert value is not None
    return value


def jittered(predictions: Predictions, rng: np.random.Generator) -> Predictions:
    """Return predictions as another training of the same network might give them."""
    noise = rng.normal(0, 0.5, predictions.keypoints.shape).astype(predictions.keypoints.dtype)
    return replace(predictions, keypoints=predictions.keypoints + noise)


def worse(scored: Scored, rng: np.random.Generator) -> Predictions:
    """Return predictions with larger errors for all people, which cost about 1 AP."""
    predictions = scored[0]
    before, sizes = ap(predictions, scored), predictions.boxes[:, 2:] - predictions.boxes[:, :2]
    noise = rng.normal(size=predictions.keypoints.shape) * sizes[:, None]
    for spread in np.arange(0.0005, 0.05, 0.0005):
        changed = replace(predictions, keypoints=predictions.keypoints + spread * noise)
        if ap(changed, scored) <= before - 0.01:
            return changed
    raise AssertionError("nothing costs 1 AP")


def test_paired_test(scored: Scored, draws: Draws) -> None:
    before = resampled_metrics(match(*scored), draws)["AP"]
    found, false = 0, 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        planted = paired_difference(resampled_metrics(match(worse(scored, rng), *scored[1:]), draws)["AP"], before)
        assert planted is not None
        found += planted.p_value < 0.05 and planted.high < 0
        ones, others = (resampled_metrics(match(jittered(scored[0], rng), *scored[1:]), draws)["AP"] for _ in range(2))
        none = paired_difference(ones, others)
        assert none is not None
        false += none.p_value < 0.05
    assert found == len(SEEDS)
    assert false <= 3  # 1 is expected; more than 3 of 20 have a probability of 1/60
