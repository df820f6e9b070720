"""Faces end to end: both engines on the same people, and every command on runs that are scored by NME."""

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
    "cofw/hrnetv2-w18-256x256/val",
    "wflw/hrnetv2-w18-awing-256x256/test",
    "wflw/hrnetv2-w18-dark-256x256/blur",
]
"""Each data set, norm and decoder; of WFLW, also a subset."""


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


@pytest.mark.filterwarnings("ignore:Use the existing")
def test_every_command(harness: Harness, samples: Path, near_truth: None, tmp_path: Path) -> None:
    options = ("--data", samples, "--weights", "random:0", "--offline", "--device", "cpu")
    rows = ("--rows", "*/hrnetv2-w18-256x256")
    code, out, err = harness("run", "wflw", "aflw", *rows, *options, "--out", "runs")
    assert code == 0, out + err
    wflw, aflw = (Path("runs") / name / "hrnetv2-w18-256x256" for name in ("wflw", "aflw"))
    measured = {run.name: Record.load(run / "record.json").metrics["NME"] for run in wflw.iterdir() if run.is_dir()}
    assert len(measured) == 7
    for run, value in measured.items():
        subset = {"test": "", "pose": "_largepose"}.get(run, f"_{run}")
        annotations = samples / f"wflw/annotations/face_landmarks_wflw_test{subset}.json"
        assert value == pytest.approx(nme_of(wflw / run, annotations, by_eyes), abs=1e-9)
        assert value is not None
        assert 0.005 < value < 0.5
    assert len(set(measured.values())) == 7
    annotations = samples / "aflw/annotations/face_landmarks_aflw_test.json"
    record = Record.load(aflw / "full" / "record.json")
    assert record.metrics["NME"] == pytest.approx(nme_of(aflw / "full", annotations, by_box), abs=1e-9)
    assert f"NME full 1.41 -> {100 * (record.metrics['NME'] or 0):.3f}" in out
    diagnosis = json.loads((aflw / "full" / "diagnosis.json").read_text())
    assert diagnosis["metric"] == "nme"
    assert len([point["error"] for point in diagnosis["keypoints"] if point["error"] is not None]) == 19
    assert diagnosis["worst"]

    # Scored again, without a network, and as another framework's.
    (aflw / "full" / "diagnosis.json").unlink()
    assert harness("score", "runs", "--data", samples)[0] == 0
    assert json.loads((aflw / "full" / "diagnosis.json").read_text()) == diagnosis
    found = Predictions.load(aflw / "full" / "predictions.parquet")
    order = [face["id"] for face in json.loads(annotations.read_text())["annotations"]]
    assert found.person_ids.tolist() == order
    np.save("found.npy", found.keypoints)
    code, out, err = harness("score", "aflw", "--run", "full", "--data", samples, "--predictions", "found.npy")
    assert (code, err) == (0, "")
    assert float(re.findall(r"NME +([\d.]+)", out)[0]) == pytest.approx(100 * (record.metrics["NME"] or 0), abs=1e-3)

    # Larger is worse.
    shutil.copytree("runs", "worse")
    folder = Path("worse/aflw/hrnetv2-w18-256x256/full")
    key = Predictions.saved_key(folder / "predictions.parquet")
    assert key
    replace(found, keypoints=found.keypoints + 9).save(folder / "predictions.parquet", key)
    Record.load(folder / "record.json").model_copy(update={"seal": None}).save(folder / "record.json")
    assert harness("score", "worse", "--data", samples)[0] == 0
    code, out, _ = harness("compare", "worse", "runs", "--data", samples, "--resamples", "50")
    assert (code, re.search(r"NME rose by [\d.]+ \(worse\)", out) is not None) == (1, True), out

    code, out, err = harness("report", "runs", "--suite", "aflw", "--suite", "wflw", "--out", "site")
    assert (code, err) == (0, ""), err
    text = "".join(path.read_text() for path in Path("site").rglob("*.html"))
    assert "NME, %, lower is better" in text
    assert '<th scope="col">error, %</th>' in text
    first = diagnosis["keypoints"][0]
    assert f"<td>{100 * first['error']:.2f}</td>" in text
