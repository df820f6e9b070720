"""Planted faults on trained networks: a comparison turns red, and the explanation names the cause first.

`nox -s faults` plants all of them on whole rows (`every_fault.py`); here are two that need no rerun.
"""

from pathlib import Path

import pytest
from conftest import Harness
from planting import FAULTS, plant

from harness.record import Record
from harness.spec.load import load_suite

ROW = "litehrnet-18-128x96"
IMAGES = 25


@pytest.fixture
def run(harness: Harness, demo: Path, tmp_path: Path) -> "Run":
    return Run(harness, demo, tmp_path)


class Run:
    """Runs the row, with a fault or without, on a few images."""

    def __init__(self, harness: Harness, data: Path, folder: Path) -> None:
        self.harness, self.data, self.folder = harness, data, folder

    def __call__(self, fault: str | None, name: str, *options: object) -> Record:
        """Run it into a folder `name` and return the record."""
        suite = self.suite(fault, name)
        arguments = ("--limit", IMAGES, "--data", self.data, "--out", self.folder / name, "--offline")
        code, _, err = self.harness("run", suite, *arguments, *options)
        assert code == 0, err
        return Record.load(self.folder / name / "demo" / ROW / "val/record.json")

    def suite(self, fault: str | None, name: str) -> Path:
        return plant(FAULTS[fault] if fault else None, self.folder / f"suite-{name}", ROW)


def test_what_should_not_matter_stays_green(run: Run) -> None:
    run(None, "baseline", "--noise")
    run(None, "again")
    run(None, "batch", "--batch-size", 7)
    for name in ("again", "batch"):
        code, out, _ = run.harness("compare", run.folder / name, run.folder / "baseline", "--data", run.data)
        assert code == 0, out


@pytest.mark.parametrize("fault", ["joint pair swapped", "wrong sigmas"])
def test_faults(run: Run, fault: str) -> None:
    right = run(None, "right")
    run(fault, "wrong")
    code, out, _ = run.harness("compare", run.folder / "wrong", run.folder / "right", "--data", run.data)
    assert code == 1, out

    claimed = load_suite("demo").metrics
    targets = [f"--target={name}={value:.3f}" for name, value in right.metrics.items() if name in claimed]
    options = ["--limit", IMAGES, "--data", run.data, "--out", run.folder / "wrong"]
    suite = run.suite(fault, "wrong")
    code, out, _ = run.harness("explain", f"{suite}/{ROW}", *targets, *options)
    assert code == 0, out
    first = next(line for line in out.splitlines() if line.startswith("  1. "))
    assert first.startswith(f"  1. {FAULTS[fault].setting}: ")
    assert first.endswith(f"-> {FAULTS[fault].right}")
