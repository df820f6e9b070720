"""Every planted fault on whole rows of the demo suite, for `nox -s faults`; takes about two hours."""

from pathlib import Path

import pytest
import torch
from conftest import Harness
from planting import FAULTS, plant

RESULTS = Path(__file__).parents[2] / "results"
ROWS = {"msra": "litehrnet-18-128x96", "dark": "litehrnet-18-dark-128x96", "udp": "litehrnet-18-udp-128x96"}
SCORED_ALONE = ("sigmas", "keypoint order")
"""Settings that explain finds with saved predictions, without the network."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(harness: Harness, demo: Path, tmp_path: Path, fault: str) -> None:
    planted = FAULTS[fault]
    row = ROWS[planted.codec]
    suite = plant(planted, tmp_path / "suite", row)  # keeps the row's claims
    where = ("--data", demo, "--out", tmp_path / "runs")
    code, text, _ = harness("run", suite, *where, "--offline")
    assert code in (0, 1), text

    code, text, _ = harness("compare", tmp_path / "runs", RESULTS, "demo", "--rows", row, "--data", demo)
    print(f"\n{fault}\n{text}")
    assert code == 1

    rerun = () if planted.setting in SCORED_ALONE else ("--rerun",)
    code, text, _ = harness("explain", f"{suite}/{row}", *where, *rerun)
    print(text)
    assert code == 0
    first = next(line for line in text.splitlines() if line.startswith("  1. "))
    assert first.startswith(f"  1. {planted.setting}: ")
    assert first.endswith(f"-> {planted.right}")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("options", "threads"), [((), 2), ((), 1), (("--batch-size", "7"), 2), (("--precision", "fp32-fast"), 2)]
)
def test_what_should_not_matter(
    harness: Harness, demo: Path, tmp_path: Path, options: tuple[str, ...], threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        code, text, _ = harness("run", "demo", "--data", demo, "--out", tmp_path / "runs", "--offline", *options)
    finally:
        torch.set_num_threads(before)
    assert code == 0, text
    code, text, _ = harness("compare", tmp_path / "runs", RESULTS, "demo", "--data", demo)
    print(text)
    assert code == 0
