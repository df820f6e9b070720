"""Faces end to end: both engines on the same people, and every command on runs scored by NME."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness
from engines import compare, near_truth_network
from mmpose.evaluation.functional import keypoint_nme

from harness.datasets.labelled import labelled_people
from harness.judge.parity import Parity
from harness.predictions import Predictions
from harness.record import Record
from harness.run.plan import Plan, Settings

RUNS = [
    "300w/hrnetv2-w18-256x256/challenge",
    "300wlp/hrnetv2-w18-256x256/full",
    "aflw/hrnetv2-w18-256x256/frontal",
    "aflw/hrnetv2-w18-dark-256x256/full",
    "coco-wholebody-face/hrnetv2-w18-dark-256x256/val",
    "cofw/hrnetv2-w18-256x256/val",
    "wflw/hrnetv2-w18-awing-256x256/test",
    "wflw/hrnetv2-w18-dark-256x256/blur",
]
"""Each data set, norm and decoder; of WFLW, also a subset."""
CONFIG = """\
_base_ = ["mmpose::face_2d_keypoint/topdown_heatmap/{name}/td-hm_hrnetv2-w18_8xb64-60e_{name}-256x256.py"]
codec = dict(type="MSRAHeatmap", input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
model = dict(
    backbone=dict(_delete_=True, type="ResNet", depth=18, stem_channels=8, base_channels=8),
    neck=dict(_delete_=True, type="FeatureMapProcessor", select_index=0),
    head=dict(
        _delete_=True, type="HeatmapHead", in_channels=64, out_channels={landmarks}, deconv_out_channels=(16, 16, 16),
        deconv_kernel_sizes=(4, 4, 4), loss=dict(type="KeypointMSELoss", use_target_weight=True), decoder=codec,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=[
    dict(type="LoadImage"), dict(type="GetBBoxCenterScale"),
    dict(type="TopdownAffine", input_size=codec["input_size"]), dict(type="PackPoseInputs"),
]))
test_dataloader = val_dataloader
"""
"""A small network for the faces of a data set."""
SUITE = """\
schema_version: 1
name: small-{name}
title: Small networks
dataset: {{name: {name}, num_keypoints: {landmarks}, images: {name}/images}}
metrics:
  NME: {{label: NME, unit: percent, decimals: 2}}
rows:
  - id: net-64x64
    label: Net
    input_size: 64x64
    boxes: ground-truth
    runs_are: subsets
    runs:
"""
RUN = """\
      {run}:
        config: {name}.py
        checkpoint: {{url: net.pth, sha256: "0000000000000000"}}
        annotations: {name}/annotations/face_landmarks_{name}_{file}.json
        published: {{page: {{NME: {claim}}}}}
"""


@pytest.fixture
def near_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "network", near_truth_network)


@pytest.mark.filterwarnings("ignore:Use the existing")
def test_seeded_weights(settings: Settings) -> None:
    check(compare("aflw/hrnetv2-w18-256x256/full", settings, 0.02), whole=False)


@pytest.mark.filterwarnings("ignore:Use the existing")
@pytest.mark.parametrize("run", RUNS)
def test_poses_near_the_truth(run: str, settings: Settings, near_truth: None) -> None:
    check(compare(run, settings))


@pytest.mark.filterwarnings("ignore:Use the existing")
@pytest.mark.parametrize("run", RUNS)
def test_poses_near_the_truth_of_real_faces(run: str, settings: Settings, near_truth: None, zoo_samples: Path) -> None:
    check(compare(run, replace(settings, data=zoo_samples)))


def check(parity: Parity, whole: bool = True) -> None:
    assert parity.equal
    assert not whole or parity.people == parity.people_total > 0
    assert parity.keypoints_compared
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.metric_max is not None
    assert parity.metric_max <= 1e-6


def nme_of(folder: Path, annotations: Path, norm: Callable[[Predictions, Any], Any]) -> float:
    """Return what MMPose's function gives for the saved predictions of a run."""
    found = Predictions.load(folder / "predictions.parquet")
    truth = labelled_people(annotations, found.keypoints.shape[1])
    places = truth.places(found.person_ids)
    keypoints, visible = truth.keypoints[places], truth.visible[places]
    return float(keypoint_nme(found.keypoints, keypoints, visible, np.repeat(norm(found, keypoints)[:, None], 2, 1)))


def by_eyes(_: Predictions, keypoints: Any) -> Any:
    return np.linalg.norm(keypoints[:, 60] - keypoints[:, 72], axis=1)


def by_box(found: Predictions, _: Any) -> Any:
    return (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)


def write_suite(folder: Path, name: str, landmarks: int, runs: dict[str, tuple[str, float]]) -> Path:
    """Write a suite; each run has an annotation file, without folder and start of its name, and a claim, percent."""
    (folder / f"{name}.py").write_text(CONFIG.format(name=name, landmarks=landmarks))
    stated = [RUN.format(name=name, run=run, file=file, claim=claim) for run, (file, claim) in runs.items()]
    path = folder / f"small-{name}.yaml"
    path.write_text("".join([SUITE.format(name=name, landmarks=landmarks), *stated]))
    return path


@pytest.mark.filterwarnings("ignore:Use the existing")
def test_every_command(harness: Harness, samples: Path, tmp_path: Path) -> None:
    subsets = {"test": ("test", 4.02), "makeup": ("test_makeup", 3.87), "pose": ("test_largepose", 6.94)}
    frontal = {"full": ("test", 1.41), "frontal": ("test_frontal", 1.27)}
    suites = write_suite(tmp_path, "wflw", 98, subsets), write_suite(tmp_path, "aflw", 19, frontal)
    options = ("--data", samples, "--weights", "random:0", "--offline", "--device", "cpu")
    code, out, err = harness("run", *suites, *options, "--out", "runs")
    assert code == 0, out + err
    wflw, aflw = (Path("runs") / f"small-{name}" / "net-64x64" for name in ("wflw", "aflw"))
    measured = {}
    for run, (file, claim) in subsets.items():
        value = Record.load(wflw / run / "record.json").metrics["NME"]
        annotations = samples / f"wflw/annotations/face_landmarks_wflw_{file}.json"
        assert value == pytest.approx(nme_of(wflw / run, annotations, by_eyes), rel=1e-6)
        measured[run] = value
        # The line of a row has two values.
        assert run == "pose" or f"NME {run} {claim} -> {100 * (value or 0):.3f}" in out
    assert len(set(measured.values())) == 3
    annotations = samples / "aflw/annotations/face_landmarks_aflw_test.json"
    record = Record.load(aflw / "full" / "record.json")
    value = record.metrics["NME"]
    assert value is not None
    assert value == pytest.approx(nme_of(aflw / "full", annotations, by_box), rel=1e-6)
    diagnosis = json.loads((aflw / "full" / "diagnosis.json").read_text())
    assert diagnosis["metric"] == "nme"
    assert len([point["error"] for point in diagnosis["keypoints"] if point["error"] is not None]) == 19
    assert diagnosis["worst"]

    # Scored again, without a network, and as another framework's.
    (aflw / "full" / "diagnosis.json").unlink()
    assert harness("score", "runs", "--data", samples)[0] == 0
    assert json.loads((aflw / "full" / "diagnosis.json").read_text()) == diagnosis
    found = Predictions.load(aflw / "full" / "predictions.parquet")
    faces = json.loads(annotations.read_text())["annotations"]
    assert found.person_ids.tolist() == [face["id"] for face in faces]
    np.save("found.npy", found.keypoints)
    foreign = ("score", suites[1], "--run", "full", "--data", samples, "--json", "--predictions")
    code, out, err = harness(*foreign, "found.npy")
    assert (code, err) == (0, "")
    assert json.loads(out)["metrics"]["NME"] == pytest.approx(value, rel=1e-6)
    np.save("from_1.npy", found.keypoints + 1)
    assert json.loads(harness(*foreign, "from_1.npy", "--one-based")[1])["metrics"]["NME"] == pytest.approx(
        value, rel=1e-6
    )

    # Larger is worse.
    shutil.copytree("runs", "worse")
    folder = Path("worse/small-aflw/net-64x64/full")
    key = Predictions.saved_key(folder / "predictions.parquet")
    assert key
    labels = labelled_people(annotations, 19)
    away = np.sign(found.keypoints - labels.keypoints[labels.places(found.person_ids)])
    replace(found, keypoints=found.keypoints + 9 * away).save(folder / "predictions.parquet", key)
    Record.load(folder / "record.json").model_copy(update={"seal": None}).save(folder / "record.json")
    assert harness("score", "worse", "--data", samples)[0] == 0
    code, out, err = harness("compare", "worse", "runs", "--data", samples, "--resamples", "100")
    assert (code, re.search(r"NME rose by [\d.]+ \(worse\)", out) is not None) == (1, True), out + err

    code, out, err = harness("report", "runs", "--suite", suites[0], "--suite", suites[1], "--out", "site")
    assert (code, err) == (0, ""), err
    text = "".join(path.read_text() for path in Path("site").rglob("*.html"))
    assert "NME, %, lower is better" in text
    page = Path("site/small-aflw/net-64x64/index.html").read_text()
    assert re.search(r"<th scope=.?col.?>error, %", page)
    first = diagnosis["keypoints"][0]
    assert re.search(rf"<th[^>]*>{first['name']}(</th>)?<td>{100 * first['error']:.2f}<", page)
