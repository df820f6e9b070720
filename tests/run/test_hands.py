"""A hand data set evaluated by PCK, AUC and EPE, with every command, and compared with MMPose's own loop."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import Harness
from engines import near_truth_network
from miniature import onehand10k

from harness.files import read_json, sha256_file
from harness.predict.networks import build_network
from harness.predictions import Predictions
from harness.record import Record
from harness.run.parity import compare_engines
from harness.run.plan import Plan, Settings
from harness.suites.configs import load_config
from harness.suites.load import load_suite

CONFIG = """\
_base_ = ["mmpose::hand_2d_keypoint/topdown_heatmap/onehand10k/td-hm_res50_8xb32-210e_onehand10k-256x256.py"]
model = dict(
    backbone=dict(_delete_=True, type="ResNet", depth=18, stem_channels=8, base_channels=8),
    head=dict(in_channels=64, deconv_out_channels=(16, 16, 16)),
)
"""
METRICS = ("PCK@0.2", "AUC", "EPE")
CLAIMED = {"PCK@0.2": 0.99, "AUC": 0.5, "EPE": 1.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hands") / "data"
    onehand10k.write(folder)
    return folder


def write_suite(folder: Path, claims: dict[str, float]) -> Path:
    """Write a suite whose network has seeded weights, and return its file."""
    (folder / "net.py").write_text(CONFIG)
    labels = {"PCK@0.2": "fraction", "AUC": "fraction", "EPE": "px"}
    suite: dict[str, Any] = {
        "schema_version": 1,
        "name": "hands",
        "title": "Hands",
        "dataset": {
            "name": "OneHand10K",
            "num_keypoints": 21,
            "annotations": onehand10k.ANNOTATIONS,
            "images": onehand10k.IMAGES,
        },
        "metrics": {
            name: {"label": name, "unit": unit, "decimals": 2 if unit == "px" else 3} for name, unit in labels.items()
        },
        "rows": [
            {
                "id": "small",
                "label": "Small",
                "input_size": "256x256",
                "boxes": "ground-truth",
                "published": {"table": claims},
                "runs": {"test": {"config": "net.py", "checkpoint": {"url": "net.pth", "sha256": "0" * 16}}},
            }
        ],
    }
    path = folder / "hands.yaml"
    path.write_text(yaml.safe_dump(suite, sort_keys=False))
    weights = folder / "net.pth"
    if not weights.exists():
        loaded = load_suite(path)
        torch.manual_seed(0)
        network = build_network(load_config(loaded, loaded.rows[0], loaded.rows[0].runs["test"]))
        torch.save({"state_dict": network.state_dict()}, weights)
    suite["rows"][0]["runs"]["test"]["checkpoint"]["sha256"] = sha256_file(weights)
    path.write_text(yaml.safe_dump(suite, sort_keys=False))
    return path


def labelled(data: Path) -> tuple[dict[int, Any], list[dict[str, Any]]]:
    """Return keypoints by annotation id, and the annotations of hands."""
    people = read_json(data / onehand10k.ANNOTATIONS, "the annotations")["annotations"][:-1]
    return {person["id"]: np.array(person["keypoints"]).reshape(-1, 3) for person in people}, people


def by_definition(found: Predictions, data: Path) -> dict[str, float]:
    """Return PCK@0.2, AUC and EPE from their definitions."""
    truth, people = labelled(data)
    sizes = read_json(data / onehand10k.ANNOTATIONS, "the annotations")["images"]
    limits = {image["id"]: (image["width"] - 1, image["height"] - 1) for image in sizes}
    distances, norms = [], []
    box_of = {person["id"]: (person["bbox"], limits[person["image_id"]]) for person in people}
    for person, points in zip(found.person_ids.tolist(), found.keypoints, strict=True):
        (x, y, width, height), limit = box_of[person]
        corners = np.clip([x, y, x + width, y + height], 0, [*limit, *limit])
        norms.append(max(corners[2] - corners[0], corners[3] - corners[1]))
        known = truth[person]
        distances.append(np.where(known[:, 2] > 0, np.hypot(*(points - known[:, :2]).T), np.nan))
    far, norm = np.array(distances), np.array(norms)[:, None]

    def accuracy(limit: Any) -> float:
        shown = ~np.isnan(far)
        found_share = ((far < limit) & shown).sum(axis=0)[shown.any(axis=0)] / shown.sum(axis=0)[shown.any(axis=0)]
        return float(found_share.mean())

    curve = [accuracy(30 * step / 20) for step in range(20)]
    return {"PCK@0.2": accuracy(0.2 * norm), "AUC": float(np.mean(curve)), "EPE": float(np.nanmean(far))}


def test_every_command(harness: Harness, data: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, CLAIMED)
    code, out, err = harness("list", suite)
    assert (code, err) == (0, "")
    assert re.search(r"hands/small +Small +ground-truth +0\.990 +0\.500 +1\.00 +not run", out)
    code, out, _ = harness("check", suite, "--data", data)
    assert code == 0, out

    code, out, err = harness("run", suite, "--data", data, "--out", tmp_path / "runs")
    assert (code, "differs" in out) == (1, True), out + err
    folder = tmp_path / "runs/hands/small/test"
    record = Record.load(folder / "record.json")
    found = Predictions.load(folder / "predictions.parquet")
    assert len(found) == sum(hands for *_, hands in onehand10k.PLAN)
    assert list(record.metrics) == list(METRICS)
    assert record.metrics == pytest.approx(by_definition(found, data), abs=1e-4)
    for name in METRICS:
        low, high = record.intervals[name]
        value = record.metrics[name]
        assert value is not None
        assert low <= value <= high
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    assert diagnosis["metric"] == "pck"

    right = {
        name: round(value, 2 if name == "EPE" else 3) for name, value in record.metrics.items() if value is not None
    }
    suite = write_suite(tmp_path, right)
    code, out, _ = harness("run", suite, "--data", data, "--out", tmp_path / "runs")
    assert (code, "reproduced" in out) == (0, True), out

    # Scored again, without a network; the diagnosis as well.
    (folder / "diagnosis.json").unlink()
    assert harness("score", tmp_path / "runs", "--data", data)[0] == 0
    assert json.loads((folder / "diagnosis.json").read_text()) == diagnosis
    assert Record.load(folder / "record.json").metrics == record.metrics

    # Predictions closer to the ground truth are better: EPE falls, the others rise.
    shutil.copytree(tmp_path / "runs", tmp_path / "near")
    near = tmp_path / "near/hands/small/test"
    truth, _ = labelled(data)
    centre = np.array([truth[person][:, :2] for person in found.person_ids.tolist()])
    moved = replace(found, keypoints=centre + 0.3 * (found.keypoints - centre))
    key = Predictions.saved_key(near / "predictions.parquet")
    assert key
    moved.save(near / "predictions.parquet", key)
    Record.load(near / "record.json").model_copy(update={"seal": None}).save(near / "record.json")
    assert harness("score", tmp_path / "near", "--data", data)[0] == 0
    measured = Record.load(near / "record.json").metrics
    assert measured == pytest.approx(by_definition(moved, data), abs=1e-5)
    assert all(value is not None and (name == "EPE" or 0.05 < value < 0.98) for name, value in measured.items())
    compared = "compare", tmp_path / "near", tmp_path / "runs", "--data", data, "--resamples", "100", "--json"
    code, out, _ = harness(*compared)
    assert code == 1
    (run,) = json.loads(out)["runs"]
    moves = {one["metric"]: (one["better"], one["state"], one["difference"] > 0) for one in run["metrics"]}
    assert moves == {
        "PCK@0.2": ("higher", "moved", True),
        "AUC": ("higher", "moved", True),
        "EPE": ("lower", "moved", False),
    }
    assert all(one["paired"]["p_value"] < 0.05 for one in run["metrics"])
    code, out, _ = harness("compare", tmp_path / "runs", tmp_path / "runs")
    assert (code, "1 same" in out) == (0, True)

    # As predictions of another framework.
    poses = np.dstack([found.keypoints, found.keypoint_scores]).reshape(len(found), -1)
    ids = zip(found.image_ids.tolist(), found.person_ids.tolist(), poses.tolist(), strict=True)
    results = [
        {"image_id": image, "annotation_id": one, "category_id": 1, "keypoints": pose, "score": 1.0}
        for image, one, pose in ids
    ]
    Path("poses.json").write_text(json.dumps(results))
    code, out, err = harness("score", suite, "--predictions", "poses.json", "--data", data)
    assert code == 0, err
    assert re.search(r"norms +bbox\n", out)

    # AUC with another number of px explains another claim.
    arguments = ("explain", "hands.yaml/small", "--data", data, "--out", tmp_path / "runs", "--json")
    explained = json.loads(harness(*arguments, "--target", "AUC=0.9")[1])
    tried = {change["setting"] for trial in explained["trials"] for change in trial["changes"]}
    assert tried >= {"norm of AUC, px", "thresholds of AUC"}

    code, out, err = harness("report", tmp_path / "runs", "--suite", suite, "--out", tmp_path / "site")
    assert (code, err) == (0, ""), err
    text = "".join(path.read_text() for path in (tmp_path / "site").rglob("*.html"))
    assert "EPE, px, lower is better" in text
    assert "pinky_finger4" in text
    exports = {path.suffix: path.read_text() for path in (tmp_path / "site").rglob("hands.*")}
    assert f"{record.metrics['EPE']:.3f}" in exports[".csv"]
    assert json.loads(exports[".json"])["metrics"]["EPE"]["better"] == "lower"


def test_mmposes_own_loop_gives_the_same_metrics(harness: Harness, data: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, CLAIMED)
    for engine in ("shared", "upstream"):
        harness("run", suite, "--data", data, "--out", tmp_path / engine, "--engine", engine)
    ours, theirs = (
        Record.load(tmp_path / engine / "hands/small/test/record.json") for engine in ("shared", "upstream")
    )
    assert theirs.upstream_metrics is not None
    assert ours.metrics == pytest.approx(theirs.upstream_metrics, abs=1e-6)
    assert list(theirs.metrics) == list(METRICS)


def test_parity_near_the_truth(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded weights find almost nothing; here, the compared metrics lie between 0 and 1."""
    suite = load_suite(write_suite(tmp_path, CLAIMED))
    monkeypatch.setattr(Plan, "network", near_truth_network)
    settings = Settings(data=data, checkpoints=tmp_path, out=tmp_path, seed=0, device="cpu")
    parity = compare_engines(suite, suite.rows[0], "test", settings, tmp_path / "log.txt")
    assert parity.equal
    assert parity.people == sum(hands for *_, hands in onehand10k.PLAN)
    assert parity.metric_max is not None
    assert parity.metric_max <= 1e-6


def results(data: Path, off: float = 2.0) -> list[dict[str, Any]]:
    """Return a results file of all hands, each keypoint shifted by this many px to the right."""
    return [
        {
            "image_id": person["image_id"],
            "category_id": 1,
            "annotation_id": person["id"],
            "keypoints": [value + off * (place % 3 == 0) for place, value in enumerate(person["keypoints"])],
            "score": 0.9,
        }
        for person in labelled(data)[1]
    ]


def test_predictions_of_another_framework(harness: Harness, data: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, CLAIMED)

    def score(poses: list[dict[str, Any]]) -> Any:
        (tmp_path / "poses.json").write_text(json.dumps(poses))
        code, out, err = harness("score", suite, "--data", data, "--predictions", "poses.json", "--json")
        return json.loads(out) if code == 0 else err

    poses = results(data)
    scored = score(poses)
    assert scored["metrics"] == pytest.approx({"PCK@0.2": 1, "AUC": 0.9, "EPE": 2}, abs=1e-6)
    assert scored["protocol"]["scoring"]["auc_norm"] == 30
    assert scored["coverage"]["people_without_pose"] == 0

    # In images with one hand, the annotation's id may be missing.
    alone = [
        pose if pose["image_id"] == 784 else {k: v for k, v in pose.items() if k != "annotation_id"} for pose in poses
    ]
    assert score(alone)["metrics"] == scored["metrics"]

    # A person without a pose has no found keypoints, and adds nothing to means.
    fewer = score(poses[1:])
    assert fewer["metrics"]["EPE"] is None
    assert fewer["metrics"]["PCK@0.2"] < 1
    assert fewer["coverage"]["people_without_pose"] == 1
    assert fewer["warnings"][-1].startswith("EPE is undefined: 1 of ")
    assert fewer["coverage"]["metrics"]["EPE"] == pytest.approx(2, abs=1e-6)

    del poses[3]["annotation_id"]
    assert "entry 3 has no 'annotation_id', but 2 people are evaluated in image 784" in score(poses)
    poses = results(data)
    poses[1]["annotation_id"] = 9
    assert "'annotation_id' of entry 1 is 9, which is not an evaluated person in image 33" in score(poses)
    assert "entries 0 and 21 are both poses of person 9" in score([*results(data), results(data)[0]])
    poses = results(data)
    poses[0]["image_id"] = 77
    assert "poses in 1 image that" in score(poses)
    code, _, err = harness("score", suite, "--data", data, "--predictions", "poses.json", "--nms", "oks")
    assert (code, "--nms is not supported for hands" in err) == (2, True)
