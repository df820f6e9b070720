"""A metric and a data set outside of harness/: every command handles them like its own."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import Harness

import harness.plugins
from harness.files import read_json, sha256_file, write_json
from harness.predictions import Predictions
from harness.record import Record
from harness.suites.load import BENCHMARKS

HERE = Path(__file__).parent
ENTRY_POINTS = """\
[pose_harness.metrics]
pixel-error = pixel_error:PIXEL_ERROR
[pose_harness.datasets]
dots = dots:DOTS
"""
WEIGHTS = BENCHMARKS / "demo" / "litehrnet-18_coco-128x96-00813e1f.pth"
IMAGES = 40


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the two files as entry points of a package."""
    site = tmp_path_factory.mktemp("site")
    info = site / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.syspath_prepend(str(site))
        harness.plugins.plugins.cache_clear()
        yield
    harness.plugins.plugins.cache_clear()


@pytest.fixture(scope="module")
def data(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the demo's people in the data set's own form."""
    coco = read_json(demo / "demo/coco/annotations/person_keypoints_val.json", "the demo's annotations")
    names = {image["id"]: image["file_name"] for image in coco["images"][:IMAGES]}
    people = []
    for person in coco["annotations"]:
        points = np.array(person["keypoints"], float).reshape(-1, 3)
        if person["image_id"] in names and (points[:, 2] > 0).sum() > 8:
            x, y, w, h = person["bbox"]
            shown = [point[:2] if point[2] else [None, None] for point in points.tolist()]
            image = person["image_id"]
            box = [x, y, x + w, y + h]
            people.append({"id": person["id"], "image": image, "name": names[image], "box": box, "points": shown})
    folder = tmp_path_factory.mktemp("own") / "data"
    write_json(folder / "dots.json", people)
    (folder / "images").symlink_to(demo / "demo/coco/val", target_is_directory=True)
    return folder


def write_suite(folder: Path, claimed: float) -> Path:
    config = f"""
_base_ = ["{(BENCHMARKS / "demo" / "litehrnet-18_coco-128x96.py").as_posix()}"]
test_dataloader = dict(dataset=dict(type="DotsDataset", data_root="data/", ann_file="dots.json", bbox_file=None,
                                    data_prefix=dict(img="images/")))
test_evaluator = dict(_delete_=True, type="PixelErrorMetric")
val_dataloader, val_evaluator = test_dataloader, test_evaluator
"""
    (folder / "own.py").write_text(config)
    suite: dict[str, Any] = {
        "schema_version": 1,
        "name": "own",
        "title": "Dots",
        "dataset": {"name": "dots", "num_keypoints": 17, "annotations": "dots.json", "images": "images"},
        "metrics": {"EPE": {"label": "EPE", "unit": "px", "decimals": 2}},
        "rows": [
            {
                "id": "litehrnet-18",
                "label": "LiteHRNet-18",
                "input_size": "128x96",
                "boxes": "ground-truth",
                "published": {"table": {"EPE": claimed}},
                "runs": {
                    "val": {
                        "config": "own.py",
                        "checkpoint": {"url": WEIGHTS.as_uri(), "sha256": sha256_file(WEIGHTS)},
                    }
                },
            }
        ],
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def mean_error(folder: Path, data: Path) -> float:
    """Return the metric computed by its definition from the predictions of a run."""
    found = Predictions.load(folder / "predictions.parquet")
    truth = {person["id"]: np.array(person["points"], float) for person in read_json(data / "dots.json", "the dots")}
    points = np.array([truth[person] for person in found.person_ids.tolist()])
    return float(np.nanmean(np.hypot(*np.moveaxis(found.keypoints - points, -1, 0))))


def test_every_command(harness: Harness, data: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, 1.0)
    code, out, err = harness("list", suite)
    assert (code, err) == (0, "")
    assert re.search(r"own/litehrnet-18 +LiteHRNet-18 +ground-truth +1\.00 +not run", out)
    code, out, _ = harness("check", suite)
    assert (code, "1 agree" in out) == (0, True)
    code, out, _ = harness("check", suite, "--data", data)
    assert (code, re.search(r"own +dots\.json +(\d+) +\1 ", out) is not None) == (0, True), out

    # A run with another claim than its value, then with its value.
    code, out, err = harness("run", suite, "--data", data, "--out", tmp_path / "runs")
    assert (code, "differs" in out) == (1, True), out + err
    folder = tmp_path / "runs/own/litehrnet-18/val"
    record = Record.load(folder / "record.json")
    error = mean_error(folder, data)
    assert record.metrics["EPE"] == pytest.approx(error, abs=1e-9)
    assert error > 1
    low, high = record.intervals["EPE"]
    assert low < error < high
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    assert diagnosis["metric"] == "pixel-error"
    suite = write_suite(tmp_path, round(error, 2))
    code, out, _ = harness("run", suite, "--data", data, "--out", tmp_path / "runs")
    assert (code, "reproduced" in out) == (0, True)
    assert f"EPE {error:.2f} -> {error:.3f}" in out

    # Scored again, without a network; the diagnosis as well.
    (folder / "diagnosis.json").unlink()
    assert harness("score", tmp_path / "runs", "--data", data)[0] == 0
    assert json.loads((folder / "diagnosis.json").read_text()) == diagnosis
    keypoints = Predictions.load(folder / "predictions.parquet").keypoints
    np.save(tmp_path / "found.npy", keypoints)
    code, out, err = harness("score", suite, "--data", data, "--predictions", tmp_path / "found.npy")
    assert (code, err) == (0, "")
    assert float(re.findall(r"EPE +([\d.]+)", out)[0]) == pytest.approx(error, abs=1e-6)
    assert harness("score", suite, "--data", data, "--predictions", tmp_path / "found.npy", "--nms", "oks")[0] == 2

    # Larger is worse.
    worse = tmp_path / "worse"
    worsen(tmp_path / "runs", worse)
    assert harness("score", worse, "--data", data)[0] == 0
    code, out, _ = harness("compare", worse, tmp_path / "runs", "--data", data, "--resamples", "100")
    assert (code, re.search(r"EPE rose by [\d.]+ \(worse\), noise floor 0\.001", out) is not None) == (1, True), out
    code, out, _ = harness("compare", tmp_path / "runs", tmp_path / "runs")
    assert (code, "1 same" in out) == (0, True)

    # Another average explains another claim.
    median = json.loads(
        harness(
            "explain",
            "own.yaml/litehrnet-18",
            "--data",
            data,
            "--out",
            tmp_path / "runs",
            "--target",
            "EPE=0.01",
            "--json",
        )[1]
    )
    assert {change["setting"] for trial in median["trials"] for change in trial["changes"]} >= {"average"}

    code, out, err = harness("report", tmp_path / "runs", "--suite", suite, "--out", tmp_path / "site")
    assert (code, err) == (0, ""), err
    pages = {path.name: path.read_text() for path in (tmp_path / "site").rglob("*.html")}
    text = "".join(pages.values())
    assert "EPE, px, lower is better" in text
    assert "Keypoints within reach" in text
    assert f"{error:.3f}" in text
    exports = {path.suffix: path.read_text() for path in (tmp_path / "site").rglob("own.*")}
    assert f"{error:.3f}" in exports[".csv"]
    assert json.loads(exports[".json"])["metrics"]["EPE"]["better"] == "lower"


def worsen(runs: Path, to: Path) -> None:
    """Copy a run with keypoints 3 px further to the right; its record is not updated."""
    shutil.copytree(runs, to)
    folder = to / "own/litehrnet-18/val"
    found = Predictions.load(folder / "predictions.parquet")
    key = Predictions.saved_key(folder / "predictions.parquet")
    assert key
    replace(found, keypoints=found.keypoints + np.array([3, 0])).save(folder / "predictions.parquet", key)
    Record.load(folder / "record.json").model_copy(update={"seal": None}).save(folder / "record.json")
