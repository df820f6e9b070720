"""Scoring compared with MMPose's CocoMetric, on a small synthetic data set."""

from typing import Any

import numpy as np
import pytest

from harness.errors import DifferenceError
from harness.openmmlab import xtcocotools_ext
from harness.predictions import Predictions
from harness.speed.score import ScoredData, check_metrics, draw_annotations, draw_predictions, measure_scoring
from harness.suites.configs import load_config
from harness.suites.load import load_suite

pytestmark = pytest.mark.skipif(
    xtcocotools_ext.install() == "stand-in", reason="MMPose's own OKS evaluator needs xtcocotools"
)
SMALL = ScoredData(images=40, annotations=90, predictions=700)


@pytest.fixture
def config() -> Any:
    suite = load_suite("coco")
    return load_config(suite, suite.rows[-1], suite.rows[-1].runs["val"])


def test_two_rounds(config: Any) -> None:
    outcome = measure_scoring(config, SMALL, 2)
    assert (outcome.images, outcome.annotations, outcome.comparison.work) == (40, 90, 700)
    assert len(outcome.comparison.ratio.rounds) == 2
    assert outcome.metric_max <= 1e-12
    ap, ar = outcome.metrics["AP"], outcome.metrics["AR"]
    assert ap is not None
    assert ar is not None
    assert 0.05 < ap < 0.95
    assert ap < ar < 0.95


def test_a_metric_that_differs(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.speed.score.evaluate", lambda *_: {"AP": 0.5} | dict.fromkeys(NAMES, 0.25))
    with pytest.raises(DifferenceError, match=" is 0"):
        measure_scoring(config, SMALL, 1)


NAMES = ("AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.5", "AR@0.75", "AR(M)", "AR(L)")


def test_differences() -> None:
    assert check_metrics({"AP": 0.5, "AR": None}, {"AP": 0.5 + 1e-9, "AR": None}, 1e-6) == pytest.approx(1e-9)
    with pytest.raises(DifferenceError, match=r"AR is 0\.1 with our code and None with upstream's"):
        check_metrics({"AP": 0.5, "AR": None}, {"AP": 0.5, "AR": 0.1}, 1e-6)
    with pytest.raises(DifferenceError, match=r"AP is 0\.50001 with our code and 0\.5 with upstream's"):
        check_metrics({"AP": 0.5}, {"AP": 0.50001}, 1e-6)


def test_what_is_drawn() -> None:
    rng = np.random.default_rng(0)
    document = draw_annotations(rng, ScoredData(images=500, annotations=2000))
    assert len(document["images"]) == 500
    people = document["annotations"]
    assert len({person["id"] for person in people}) == 2000
    assert {person["image_id"] for person in people} <= {image["id"] for image in document["images"]}
    labelled = [person for person in people if person["num_keypoints"]]
    assert 0.5 < len(labelled) / len(people) < 0.65
    assert 10 < sum(person["iscrowd"] for person in people) < 90
    assert all(sum(v > 0 for v in person["keypoints"][2::3]) == person["num_keypoints"] for person in people)

    predictions = draw_predictions(rng, document, 5000)
    assert len(predictions) == 5000
    assert predictions.keypoints.shape == (5000, 17, 2)
    assert (np.diff(predictions.image_ids) >= 0).all()
    assert isinstance(predictions, Predictions)
    again = draw_predictions(np.random.default_rng(1), document, 50)
    np.testing.assert_array_equal(again.keypoints, draw_predictions(np.random.default_rng(1), document, 50).keypoints)
