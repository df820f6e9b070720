"""Whole-body rows from suite to pages, on annotated and on detected boxes, and compared with MMPose's own loop."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness
from engines import near_truth_network
from miniature import Miniature

from harness.metrics.match import evaluate
from harness.openmmlab import xtcocotools_ext
from harness.predict.forward import Forward
from harness.predictions import Predictions
from harness.record import Record
from harness.run.parity import compare_engines
from harness.run.plan import Plan, Settings
from harness.suites.load import load_suite, select_rows

SUITE = """\
schema_version: 1
name: bodies
title: Bodies
dataset:
  name: COCO-WholeBody
  num_keypoints: 133
  annotations: coco/annotations/coco_wholebody_val_v1.0.json
  images: coco/val2017
  boxes: coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json
metrics:
  AP(whole): {label: Whole AP, unit: fraction, decimals: 3}
  AP(hand): {label: Hand AP, unit: fraction, decimals: 3}
  AR(face): {label: Face AR, unit: fraction, decimals: 3}
rows:
  - id: detected
    label: Net
    input_size: 96x96
    boxes: detector
    published: {table: {AP(whole): 0.5, AP(hand): 0.5, AR(face): 0.5}}
    runs: {val: {config: net.py, checkpoint: {url: net.pth, sha256: "0000000000000000"}}}
  - id: annotated
    label: Net
    input_size: 96x96
    boxes: ground-truth
    published: {table: {AP(whole): 0.5, AP(hand): 0.5, AR(face): 0.5}}
    runs: {val: {config: net.py, checkpoint: {url: net.pth, sha256: "0000000000000000"}}}
    overrides: [{field: bbox_file, value: null, reason: the row is of annotated boxes}]
"""
CONFIG = """\
_base_ = ["mmpose::_base_/default_runtime.py"]
codec = dict(type="MSRAHeatmap", input_size=(96, 96), heatmap_size=(48, 48), sigma=1)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type="ResNet", depth=18, stem_channels=8, base_channels=8),
    head=dict(
        type="HeatmapHead", in_channels=64, out_channels=133, deconv_out_channels=(16, 16, 16, 16),
        deconv_kernel_sizes=(4, 4, 4, 4), loss=dict(type="KeypointMSELoss", use_target_weight=True), decoder=codec,
    ),
    test_cfg=dict(flip_test=True, flip_mode="heatmap", shift_heatmap=True),
)
annotations = "data/coco/annotations/coco_wholebody_val_v1.0.json"
test_dataloader = dict(
    batch_size=16, num_workers=0, drop_last=False, sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type="CocoWholeBodyDataset", data_mode="topdown", ann_file=annotations,
        bbox_file="data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json",
        data_prefix=dict(img="data/coco/val2017/"), test_mode=True,
        pipeline=[
            dict(type="LoadImage"), dict(type="GetBBoxCenterScale"),
            dict(type="TopdownAffine", input_size=codec["input_size"]), dict(type="PackPoseInputs"),
        ],
    ),
)
val_dataloader = test_dataloader
test_evaluator = dict(type="CocoWholeBodyMetric", ann_file=annotations)
val_evaluator = test_evaluator
"""
ROWS = ("detected", "annotated")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(CONFIG)
    path = tmp_path / "bodies.yaml"
    path.write_text(SUITE)
    return path


@pytest.mark.parametrize("near_truth", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_parity(
    name: str, near_truth: bool, suite: Path, settings: Settings, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics: dict[str, float | None] = {}

    def watched(*arguments: Any) -> dict[str, float | None]:
        metrics.update(evaluate(*arguments))
        return metrics

    if near_truth:
        monkeypatch.setattr("harness.run.parity.evaluate", watched)
        monkeypatch.setattr(Plan, "network", near_truth_network)
    loaded = load_suite(str(suite))
    (row,) = select_rows(loaded, name)
    parity = compare_engines(loaded, row, "val", settings, settings.out / "log.txt")
    expected = sum(miniature.wholebody.boxes) if name == "detected" else miniature.wholebody.people
    assert parity.people == parity.people_total == expected
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.equal
    if near_truth:
        for part in ("whole", "body", "foot", "hand"):
            found = metrics[f"AP({part})"]
            assert found is not None
            assert 0.01 < found < 0.98, part
    if xtcocotools_ext.install() != "stand-in":
        assert parity.metric_max is not None
        assert parity.metric_max <= 1e-6


def test_every_command(
    harness: Harness, suite: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = harness("check", suite, "--data", samples)
    assert (code, err) == (0, ""), out

    monkeypatch.setattr("harness.run.intervals.FEWEST", 2)
    monkeypatch.setattr(
        Plan, "model", lambda plan, protocol=None: Forward(near_truth_network(plan), protocol or plan.protocol)
    )
    where = ("--data", samples, "--offline", "--out", tmp_path / "runs", "--weights", "random:0")
    code, out, err = harness("run", suite, *where)
    assert code == 0, out + err
    record = Record.load(tmp_path / "runs/bodies/annotated/val/record.json")
    metrics = record.metrics
    assert metrics["AP(hand)"] == pytest.approx((metrics["AP(lefthand)"] + metrics["AP(righthand)"]) / 2)  # type: ignore[operator]
    parts = ("whole", "body", "foot", "face", "hand", "lefthand", "righthand")
    assert {f"{mean}({part})" for mean in ("AP", "AR") for part in parts} <= record.intervals.keys()
    low, high = record.intervals["AP(whole)"]
    assert low <= (metrics["AP(whole)"] or 0) <= high
    assert high > low
    folder = tmp_path / "runs/bodies/detected/val"
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    assert diagnosis["metric"] == "wholebody"
    assert set(diagnosis["parts"]) == {"body", "foot", "face", "hand"}

    # Scored again, without a network, and as another framework's results.
    before = Record.load(folder / "record.json").metrics
    (folder / "diagnosis.json").unlink()
    assert harness("score", tmp_path / "runs", "--data", samples)[0] == 0
    assert Record.load(folder / "record.json").metrics == before
    assert json.loads((folder / "diagnosis.json").read_text()) == diagnosis
    found = Predictions.load(folder / "predictions.parquet")
    results = [
        {
            "image_id": int(image),
            "category_id": 1,
            "keypoints": np.column_stack([points, scores]).ravel().tolist(),
            "score": float(scores.mean()),
        }
        for image, points, scores in zip(found.image_ids, found.keypoints, found.keypoint_scores, strict=True)
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    code, out, err = harness("score", suite, "--data", samples, "--predictions", tmp_path / "results.json")
    assert code == 0, err
    assert re.search(r"AP\(hand\) +0\.\d+", out)

    # One part is worse: the left hand.
    worse = tmp_path / "worse"
    moved = found.keypoints.copy()
    moved[:, 91:112] += 40
    copy_run(tmp_path / "runs", worse, replace(found, keypoints=moved))
    assert harness("score", worse, "--data", samples)[0] == 0
    code, out, err = harness("compare", worse, tmp_path / "runs", "--data", samples, "--resamples", "100")
    assert code == 1, out + err
    moved_parts = set(re.findall(r"^ +A[PR]\((\w+)\) ", out, re.MULTILINE))
    assert moved_parts == {"whole", "hand", "lefthand"}, out

    code, _, err = harness("report", tmp_path / "runs", "--suite", suite, "--out", tmp_path / "site")
    assert (code, err) == (0, ""), err
    text = "".join(path.read_text() for path in (tmp_path / "site").rglob("*.html"))
    assert "Precision and recall by part" in text
    assert "part: face" in text
    assert f"{metrics['AP(hand)']:.3f}" in text


def copy_run(runs: Path, to: Path, predictions: Predictions) -> None:
    """Copy runs; the predictions of the detected row are changed, and its record is not updated."""
    shutil.copytree(runs, to)
    folder = to / "bodies/detected/val"
    key = Predictions.saved_key(folder / "predictions.parquet")
    assert key
    predictions.save(folder / "predictions.parquet", key)
    Record.load(folder / "record.json").model_copy(update={"seal": None}).save(folder / "record.json")
