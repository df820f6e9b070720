"""The content read from run folders, and the table for notebooks."""

import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.errors import ObtainError, UsageError
from harness.record import Network
from harness.report.frame import COLUMNS
from harness.report.results import current, read_results
from harness.suites.load import load_suite
from report import synthetic


def test_order_and_choice(tmp_path: Path) -> None:
    suite = load_suite("aic")
    row, draw = suite.rows[0], random.Random(0)
    write = [("b", "complete"), ("a", "complete"), ("c", "partial"), ("d", "failed")]
    for folder, status in write:
        record = synthetic.record(suite, row, "val", status, None, draw)  # type: ignore[arg-type]
        synthetic.write_run(tmp_path / folder, suite, row, record)
    aside = tmp_path / "a" / "aic" / row.id
    (aside / "val").rename(aside / "val.0123abcd")
    synthetic.write_run(tmp_path / "a", suite, row, synthetic.record(suite, row, "val", "complete", None, draw))

    found = read_results([tmp_path / name for name in "bacd"]).found

    places = [str(result.folder.path.relative_to(tmp_path)) for result in found]
    here = f"aic/{row.id}"
    assert places == [f"b/{here}/val", f"a/{here}/val.0123abcd", f"a/{here}/val", f"c/{here}/val", f"d/{here}/val"]
    assert current(found)["val"] == found[2]  # the complete run, although a partial and a failed one are later
    assert current(found[3:])["val"] == found[4]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    suite = load_suite("aic")
    draw = random.Random(0)
    first, second = (
        synthetic.write_run(tmp_path, suite, row, synthetic.record(suite, row, "val", "complete", None, draw))
        for row in suite.rows
    )
    first.record.write_text("{")
    second.protocol.write_text("[]")
    second.environment.write_text('{"packages": 7}')
    results = read_results([tmp_path])
    assert len(results.found) == 1
    assert results.found[0].protocol is None
    assert results.found[0].environment is None
    damaged = (first.record, second.protocol, second.environment)
    for path, problem in zip(damaged, results.problems, strict=True):
        assert str(path) in problem
    with pytest.raises(UsageError, match="no results folder"):
        read_results([tmp_path / "nowhere"])
    with pytest.raises(ObtainError, match="record"):
        harness.load_results(tmp_path)


def test_frame(tmp_path: Path) -> None:
    suite = load_suite("jhmdb")
    row = suite.rows[0]
    draw = random.Random(0)
    values = {"PCK(person)": 0.9612, "PCK(torso)": None}
    done = synthetic.record(
        suite,
        row,
        "sub1",
        "complete",
        None,
        draw,
        metrics=values,
        intervals={"PCK(person)": (0.95, 0.97)},
        people=500,
        timings={"forward": 2.0},
        network=Network(parameters=2_800_000, gflop=0.5),
    )
    synthetic.write_run(tmp_path, suite, row, done)
    synthetic.write_run(tmp_path, suite, row, synthetic.record(suite, row, "sub2", "failed", "no memory", draw))
    frame = harness.load_results(tmp_path)
    assert list(frame.columns) == list(COLUMNS)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    assert frame["run"].tolist() == ["sub1", "sub1", "sub2"]
    first = frame.iloc[0]
    assert (first.measured, first.low, first.high, first.published, first.source) == (0.9612, 0.95, 0.97, 96.1, "page")
    assert first.difference == pytest.approx(0.02)
    assert first.verdict == "reproduced"
    assert first.people_per_s == 250
    assert first.made == pd.Timestamp("2026-03-01 12:00", tz="UTC")
    assert (first.parameters, first.gflop) == (2_800_000, 0.5)
    assert first.device == "NVIDIA H100 80GB HBM3"
    assert pd.isna(frame.iloc[1].measured)
    assert pd.isna(frame.iloc[2].metric)
    assert (frame.iloc[2].run_verdict, frame.iloc[2].reason) == ("failed", "no memory")


def test_documented_columns() -> None:
    text = harness.load_results.__doc__
    assert text is not None
    cells = [line.split("|")[1] for line in text.splitlines() if line.strip().startswith("| ")][1:]
    assert [name.strip() for cell in cells for name in cell.split(",")] == list(COLUMNS)


def test_neither_torch_nor_pandas_is_imported_early() -> None:
    check = (
        "import sys, harness, harness.cli.report\n"
        "assert not {'torch', 'pandas', 'numpy'} & set(sys.modules), 'at import'\n"
        "import harness.report.site, harness.report.standings\n"
        "from harness.suites.load import load_suite\n"
        "harness.report.standings.read_standings(load_suite('aic'), [], {})\n"
        "assert 'torch' not in sys.modules, 'by the report'\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
