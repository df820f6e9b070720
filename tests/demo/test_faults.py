"""A planted fault on a trained network: a comparison turns red, and the explanation names the cause first.

`nox -s faults` plants all of them on whole rows (`every_fault.py`); here is one that needs no rerun, on a few images.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness
from planting import FAULTS, plant

from harness.datasets.people import People, load_people
from harness.judge.explanation import Explanation
from harness.record import Record
from harness.suites.load import load_suite

ROW = "litehrnet-18-128x96"
FAULT = FAULTS["wrong sigmas"]


def test_wrong_sigmas(harness: Harness, demo: Path, tmp_path: Path) -> None:
    options = ("--limit", 25, "--data", demo)
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


def test_boxes_one_pixel_smaller(harness: Harness, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No list of settings has this one: it is seen in the predictions, and no threshold is named with confidence."""
    suite = plant(None, tmp_path / "suite", ROW)
    options = ("--limit", 25, "--data", demo)
    code, _, err = harness("run", suite, *options, "--out", tmp_path / "right", "--offline")
    assert code == 0, err

    def smaller(*arguments: Any) -> People:
        people = load_people(*arguments)
        boxes = people.boxes - np.array([0, 0, 1, 1], np.float32)
        return People.from_boxes(people.ids, people.image_ids, boxes, people.scores, people.images)

    with monkeypatch.context() as patched:
        patched.setattr("harness.run.plan.load_people", smaller)
        patched.setattr("harness.run.plan._people_read", {})
        code, _, err = harness("run", suite, *options, "--out", tmp_path / "wrong", "--offline")
    assert code == 0, err

    right, claimed = Record.load(tmp_path / "right/demo" / ROW / "val/record.json"), load_suite("demo").metrics
    targets = [f"--target={name}={value:.3f}" for name, value in right.metrics.items() if name in claimed]
    code, out, _ = harness("explain", f"{suite}/{ROW}", *targets, *options, "--out", tmp_path / "wrong", "--json")
    explanation = Explanation.model_validate_json(out)
    assert explanation.seen[0] == "the boxes are (+0, +0, -1, -1) px off those of the data set"
    assert not explanation.as_run.lands
    assert not any("threshold" in str(change) for cause in explanation.causes for change in cause.changes)
