"""A codec of another package in one file: every command handles it like the project's own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Harness
from planting import Fault, plant

from harness import plugins
from harness.record import Record

ROW = "litehrnet-18-128x96"
METRICS = ("AP", "AP@0.5", "AP@0.75", "AR")
CONFIG = """
custom_imports = dict(imports=["toy_codec"], allow_failed_imports=False)
codec = dict(_delete_=True, type="MassHeatmap", input_size=(96, 128), heatmap_size=(24, 32))
model = dict(head=dict(decoder=codec))
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package toy, whose module is toy_codec.py next to this file."""
    installed = tmp_path / "installed" / "toy-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[pose_harness.codecs]\nmass = toy_codec:PLUGIN\n")
    monkeypatch.syspath_prepend(installed.parent)
    plugins.plugins.cache_clear()
    yield
    plugins.plugins.cache_clear()


@pytest.mark.usefixtures("toy")
def test_a_codec_of_another_package(harness: Harness, demo: Path, tmp_path: Path) -> None:
    options = ("--limit", 2, "--data", demo)
    suites = {
        "mass": plant(Fault("msra", CONFIG), tmp_path / "suite-mass", ROW),
        "msra": plant(None, tmp_path / "suite-msra", ROW),
    }
    assert ROW in harness("list", suites["mass"])[1]
    code, out, _ = harness("check", suites["mass"])
    assert code == 0, out
    records = {}
    for name, suite in suites.items():
        code, _, err = harness("run", suite, *options, "--out", tmp_path / name, "--offline")
        assert code == 0, err
        records[name] = Record.load(tmp_path / name / "demo" / ROW / "val/record.json")
    run = tmp_path / "mass/demo" / ROW / "val"
    decoder = json.loads((run / "protocol.json").read_text())["decoder"]
    assert {name: value for name, value in decoder.items() if value is not None} == {
        "codec": "mass",
        "heatmap_size": [24, 32],
    }
    metrics = records["mass"].metrics
    assert metrics["AP"] is not None
    assert metrics["AP"] > 0.1
    assert metrics != records["msra"].metrics

    code, out, _ = harness("score", run, "--data", demo)
    assert code == 0, out
    assert Record.load(run / "record.json").metrics == metrics

    targets = [f"--target={name}={metrics[name]:.3f}" for name in METRICS]
    rerun = ("explain", f"{suites['msra']}/{ROW}", "--rerun", *targets, *options, "--out", tmp_path / "msra", "--json")
    code, out, err = harness(*rerun)
    assert code == 0, err
    (trial,) = (one for one in json.loads(out)["trials"] if [change["tried"] for change in one["changes"]] == ["mass"])
    assert trial["changes"][0]["setting"] == "decoder"
    assert trial["verdict"] == "reproduced"
    assert {one["claim"]["metric"]: one["measured"] for one in trial["claims"]} == {m: metrics[m] for m in METRICS}

    code, out, err = harness("report", tmp_path / "mass", "--data", demo)
    assert code == 0, err
    pages = [page.read_text() for page in (tmp_path / "reports/site").rglob("*.html")]
    assert any("mass" in page and ROW in page for page in pages)


@pytest.mark.usefixtures("toy")
def test_its_numbers_are_mmposes(harness: Harness, demo: Path, tmp_path: Path) -> None:
    """With seeded weights, whose calibration needs the height of its peaks."""
    suite = plant(Fault("msra", CONFIG), tmp_path / "suite", ROW)
    code, out, err = harness("parity", suite, "--data", demo, "--weights", "random:0", "--tflop", 0.002)
    assert code == 0, (out, err)


def test_a_codec_of_a_package_that_is_missing(harness: Harness, demo: Path, tmp_path: Path) -> None:
    suite = plant(Fault("msra", CONFIG), tmp_path / "suite", ROW)
    code, out, err = harness("run", suite, "--limit", 1, "--data", demo, "--offline")
    assert code == 3
    assert "model.head.decoder of" in out + err
    assert "MassHeatmap is not supported" in out + err
