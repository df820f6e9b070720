"""The demo suite: small weights that load as data, claims that can change both ways, and a row that reproduces."""

from pathlib import Path

import pytest
import torch
from conftest import Harness

from harness.files import sha256_file
from harness.record import Record
from harness.suites.configs import load_config
from harness.suites.load import BENCHMARKS, load_suite
from harness.suites.schema import Row

WEIGHTS = sorted((BENCHMARKS / "demo").glob("*.pth"))
SUITE = load_suite("demo")


def test_it_is_called_a_self_test() -> None:
    assert "self-test" in SUITE.title.lower()
    assert "nothing about MMPose's models" in SUITE.title


def test_weights_are_small_and_are_those_of_the_rows() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS) < 15e6
    used = {run.checkpoint.local for row in SUITE.rows for run in row.runs.values()}
    assert used == set(WEIGHTS)


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.name)
def test_weights_are_in_half_precision_and_load_as_data(path: Path) -> None:
    assert sha256_file(path).startswith(path.stem.rsplit("-", 1)[1])
    state = torch.load(path, weights_only=True)
    kinds = {value.dtype for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert kinds == {torch.float16}
    assert all(value.isfinite().all() for value in state.values())


def test_rows_cover_the_decoders_the_box_sources_and_the_metrics() -> None:
    assert {row.boxes for row in SUITE.rows} == {"detector", "ground-truth"}
    claimed = {claim.metric for row in SUITE.rows for claim in row.claims}
    assert claimed == set(SUITE.metrics)
    assert {"AP", "AP(M)", "AP(L)", "AP(E)", "AP(H)", "PCKh@0.5"} <= claimed
    codecs = {load_config(SUITE, row, row.runs["val"]).model.head.decoder.type for row in SUITE.rows}
    assert codecs == {"MSRAHeatmap", "UDPHeatmap"}
    assert any(load_config(SUITE, row, row.runs["val"]).model.head.decoder.get("unbiased") for row in SUITE.rows)


@pytest.mark.parametrize("row", SUITE.rows, ids=lambda row: row.id)
def test_claims_have_room_on_both_sides(row: Row) -> None:
    [main] = [claim for claim in row.claims if claim.metric in ("AP", "PCKh@0.5")]
    assert 0.25 < main.value < 0.95


def test_a_row_reproduces(harness: Harness, demo: Path, tmp_path: Path) -> None:
    code, out, _ = harness("run", "demo", "--rows", "litehrnet-18-mpii-*", "--data", demo, "--out", tmp_path / "runs")
    assert code == 0, out
    [path] = (tmp_path / "runs").rglob("record.json")
    record = Record.load(path)
    assert (record.status, record.people) == ("complete", 153)
    assert record.verdict in ("reproduced", "within noise")
