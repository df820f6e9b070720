"""The shared engine compared with MMPose's own test loop: whole runs with the same network, on the miniature and on
real images if they are available."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from engines import compare, near_truth_network
from miniature import Miniature

from harness.errors import ObtainError
from harness.metrics.match import evaluate
from harness.openmmlab import xtcocotools_ext
from harness.run.plan import Plan, Settings
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import select

# One run for each combination of data set, boxes, codec, affine, flip test, strides and head in the table.
SLICE = [
    "aic/hrnet-w32-256x192/val",
    "coco/alexnet-256x192/val",
    "coco/cpm-256x192/val",
    "coco/cspnext-tiny-256x192/val",
    "coco/hourglass-256x256/val",
    "coco/litehrnet-18-256x192/val",
    "coco/mspn-1stg-256x192/val",
    "coco/resnet-101-dark-256x192/val",
    "crowdpose/cspnext-m-256x192/val",
    "crowdpose/resnet-50-256x192/val",
    "humanart/vitpose-s-256x192-gt/val",
    "humanart/vitpose-s-256x192/val",
    "jhmdb/cpm-368x368/sub1",
    "jhmdb/resnet-50-256x256/sub2",
    "mpii/cpm-368x368/val",
    "mpii/cspnext-m-256x256/val",
    "mpii/hourglass-256x256/val",
    "mpii/hrnet-w48-dark-256x256/val",
    "mpii/litehrnet-18-256x256/val",
    "posetrack18/resnet-50-256x192/val",
]
OVERVIEW = ["aic", "coco", "crowdpose", "humanart", "jhmdb", "mpii", "posetrack18"]
"""The suites of the overview's table."""
# This network is fast enough for all boxes, which make several batches.
ON_ALL_BOXES = ["coco/alexnet-256x192/val"]
FEW_TFLOP = 0.05
HEAVY = {
    "coco/cpm-256x192/val",
    "coco/hourglass-256x256/val",
    "coco/litehrnet-18-256x192/val",
    "humanart/vitpose-s-256x192/val",
    "jhmdb/cpm-368x368/sub1",
    "mpii/cpm-368x368/val",
    "mpii/hourglass-256x256/val",
    "mpii/hrnet-w48-dark-256x256/val",
}
"""Runs whose networks take long to build or to run."""


def combination(suite: Any, row: Any, run: str) -> tuple[Any, ...]:
    config = load_config(suite, row, row.runs[run])
    protocol = protocol_without_files(config)
    (width, height), (w, h) = protocol.crop.input_size, protocol.decoder.map_size
    decoded = (protocol.decoder.codec, width / w, height / h, config.model.head.type)
    return suite.name, protocol.boxes.source, protocol.crop.affine, protocol.flip, *decoded


def test_the_slice_has_every_combination() -> None:
    of = {
        f"{suite.row_id(row)}/{run}": combination(suite, row, run)
        for suite, rows in select(OVERVIEW, None)
        for row in rows
        for run in row.runs
    }
    assert len(of) == 78
    assert {of[run] for run in SLICE} == set(of.values())


@pytest.mark.parametrize("run", [pytest.param(run, marks=pytest.mark.long) if run in HEAVY else run for run in SLICE])
def test_seeded_weights(run: str, settings: Settings, miniature: Miniature) -> None:
    whole = run in ON_ALL_BOXES
    parity = compare(run, settings, None if whole else FEW_TFLOP)
    assert parity.id == run
    assert not whole or parity.people == parity.people_total == sum(miniature.coco.boxes)
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.equal
    assert parity.ties <= 0.1 * parity.keypoints_compared


@pytest.mark.parametrize("run", SLICE)
def test_poses_near_the_truth(
    run: str, settings: Settings, each_samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded networks score near 0; here the compared metrics are between 0 and 1."""
    metrics = watch_metrics(monkeypatch)
    parity = compare(run, replace(settings, data=each_samples))
    assert parity.people == parity.people_total
    assert parity.equal
    headline = metrics[next(iter(metrics))]
    assert headline is not None
    assert 0.05 < headline < 0.98
    if theirs_evaluates(run):
        assert parity.metric_max is not None
        assert parity.metric_max <= 1e-6


def theirs_evaluates(run: str) -> bool:
    """Return whether MMPose's own evaluator of a run can run here."""
    if run.startswith("posetrack18/"):
        return find_spec("poseval") is not None
    return run.startswith(("mpii/", "jhmdb/")) or xtcocotools_ext.install() != "stand-in"


def watch_metrics(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """Let networks point near the ground truth, and return a dict that will contain the shared engine's metrics."""
    metrics: dict[str, float | None] = {}

    def watched(*arguments: Any) -> dict[str, float | None]:
        metrics.update(evaluate(*arguments))
        return metrics

    monkeypatch.setattr("harness.run.parity.evaluate", watched)
    monkeypatch.setattr(Plan, "network", near_truth_network)
    return metrics


def test_a_bound_on_the_work_leaves_people_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    some = compare("jhmdb/resnet-50-256x256/sub1", settings, tflop=0.06)  # 14.5 GFLOP a crop, twice a person
    assert (some.people, some.people_total) == (2, 3)
    assert some.gflop == 14.5
    assert compare("jhmdb/resnet-50-256x256/sub1", settings, tflop=1e-9).people == 1


def test_missing_data(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ObtainError, match="the annotation file is missing"):
        compare("coco/alexnet-256x192/val", replace(settings, data=tmp_path))
