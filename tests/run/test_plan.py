"""Plans for different settings."""

from dataclasses import replace
from typing import Any

import pytest

from harness.protocol import Normalisation
from harness.run.plan import LARGE_BATCH, Settings, make_plan
from harness.suites.load import load_suite, select_rows


@pytest.mark.parametrize(
    ("chosen", "batch_size"),
    [
        ({}, 32),
        ({"precision": "bf16"}, 32),
        ({"device": "cuda"}, 32),
        ({"device": "cuda", "precision": "bf16"}, LARGE_BATCH),
        ({"device": "cuda:1", "compiled": True}, LARGE_BATCH),
        ({"device": "cuda", "precision": "tf32", "batch_size": 7}, 7),
    ],
)
def test_batches_are_large_on_a_gpu_where_they_need_not_be_those_of_upstream(
    settings: Settings, chosen: dict[str, Any], batch_size: int
) -> None:
    suite = load_suite("coco")
    (row,) = select_rows(suite, "alexnet-256x192")
    plan = make_plan(suite, row, "val", replace(settings, **chosen))
    assert plan.protocol.compute.batch_size == batch_size


def test_the_protocol_has_the_normalisation(settings: Settings) -> None:
    suite = load_suite("coco")
    (row,) = select_rows(suite, "alexnet-256x192")
    found = make_plan(suite, row, "val", settings).protocol.normalisation
    assert found == Normalisation(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), colours="RGB")


def test_predictions_are_kept_with_another_version_and_made_again_with_another_revision(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load_suite("coco")
    (row,) = select_rows(suite, "alexnet-256x192")
    key = make_plan(suite, row, "val", settings).predictions_key
    monkeypatch.setattr("harness.__version__", "99.0")
    assert make_plan(suite, row, "val", settings).predictions_key == key
    monkeypatch.setattr("harness.run.plan.REVISION", 99)
    assert make_plan(suite, row, "val", settings).predictions_key != key
