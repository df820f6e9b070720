"""Planted faults on trained networks: compare reports them, and explain names the cause first.

`nox -s faults` plants all faults of `planting.py` on whole rows (`every_fault.py`). These tests plant a few faults on a
few images.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Harness
from many_faults import HARMLESS, TABLE
from planting import FAULTS, plant
from trying import answer, run_right

from harness.judge.explanation import Explanation
from harness.record import Record
from harness.suites.load import load_suite

ROW = "litehrnet-18-128x96"
FAULT = FAULTS["wrong sigmas"]


def test_wrong_sigmas(harness: Harness, demo: Path, tmp_path: Path) -> None:
    options = ("--limit", 10, "--data", demo)
    for fault, name in ((None, "right"), (FAULT, "wrong")):
        suite = plant(fault, tmp_path / f"suite-{name}", ROW)
        code, _, err = harness("run", suite, *options, "--out", tmp_path / name, "--offline")
        assert code == 0, err
    code, out, _ = harness("compare", tmp_path / "wrong", tmp_path / "right", "--data", demo)
    assert code == 1, out

    right, claimed = Record.load(tmp_path / "right/demo" / ROW / "val/record.json"), load_suite("demo").metrics
    targets = [f"--target={name}={value:.3f}" for name, value in right.metrics.items() if name in claimed]
    code, out, _ = harness("explain", f"{suite}/{ROW}", *targets, *options, "--out", tmp_path / "wrong")
    assert code == 0, out
    first = next(line for line in out.splitlines() if line.startswith("  1. "))
    assert first.startswith(f"  1. {FAULT.setting}: ")
    assert first.endswith(f"-> {FAULT.right}")


SOME = (
    "shift twice",
    "boxes one pixel smaller",
    "one image black",
    "OpenPose's order",
    "score mode keypoint, not on record",
    "NMS by box area",
)


@pytest.mark.long
def test_some_faults_are_explained_by_the_predictions(harness: Harness, demo: Path, tmp_path: Path) -> None:
    """Six faults of `nox -s faults` are named first, on few images; a harmless change is not reported as a fault."""
    options = ("--limit", 6)
    run_right(harness, demo, tmp_path / "right", options, ["msra"])
    answers = {
        name: answer(harness, demo, tmp_path / "right", tmp_path / name, name, planted, options)
        for name, planted in [(name, TABLE[name]) for name in SOME] + list(HARMLESS.items())
    }
    assert [answers[name].rating for name in SOME] == ["right"] * len(SOME)
    assert [(answers[name].noticed, answers[name].explained) for name in HARMLESS] == [(False, "nothing differs")]


def test_boxes_one_pixel_smaller_are_seen_without_a_baseline(harness: Harness, demo: Path, tmp_path: Path) -> None:
    """Explain does not try this fault as a setting, but finds it in the predictions; no threshold is named a cause."""
    suite = plant(None, tmp_path / "suite", ROW)
    options = ("--limit", 6, "--data", demo)
    code, _, err = harness("run", suite, *options, "--out", tmp_path / "right", "--offline")
    assert code == 0, err
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.run.plan._people_read", {})
        smaller = TABLE["boxes one pixel smaller"].patch
        assert smaller
        smaller(patched)
        code, _, err = harness("run", suite, *options, "--out", tmp_path / "wrong", "--offline")
    assert code == 0, err

    right, claimed = Record.load(tmp_path / "right/demo" / ROW / "val/record.json"), load_suite("demo").metrics
    targets = [f"--target={name}={value:.3f}" for name, value in right.metrics.items() if name in claimed]
    code, out, _ = harness("explain", f"{suite}/{ROW}", *targets, *options, "--out", tmp_path / "wrong", "--json")
    explanation = Explanation.model_validate_json(out)
    assert explanation.seen[0] == "the boxes are (+0, +0, -1, -1) px off those of the data set"
    assert not explanation.as_run.matches_claims
    assert not any("threshold" in str(change) for cause in explanation.causes for change in cause.changes)


def test_what_should_not_matter_does_not(harness: Harness, demo: Path, tmp_path: Path) -> None:
    """The run has another process, locale, time zone, hash seed, working folder and batch size, and read-only data."""
    options = ("--limit", 6)
    run_right(harness, demo, tmp_path / "right", options, ["msra"])
    suite = plant(None, tmp_path / "suite", ROW)
    data = tmp_path / "Daten, schreibgeschützt"
    shutil.copytree(demo, data)
    for path in sorted(data.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    other = {"LC_ALL": "de_DE.UTF-8", "TZ": "Pacific/Apia", "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "harness", "run", suite, "--data", data, "--out", tmp_path / "runs", "--offline"]
    try:
        done = subprocess.run(
            [str(part) for part in (*command, *options, "--batch-size", 7)],
            env=os.environ | other,
            cwd=tmp_path / "suite",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for path in data.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode in (0, 1), done.stderr
    code, text, _ = harness("compare", tmp_path / "runs", tmp_path / "right", "demo", "--rows", ROW, "--data", demo)
    assert code == 0, text
