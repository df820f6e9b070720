"""Runs that are scored in separate processes."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import scorers
from conftest import Harness
from survival import ROWS, arguments, assert_same, folder, make_whole, record

from harness.run import scoring


@pytest.fixture(scope="module")
def whole(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_whole(demo, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Make each run be scored in a process, and return the functions that these get."""
    given: list[object] = []

    class Pool(ProcessPoolExecutor):
        def submit(self, *work, **options):  # type: ignore[no-untyped-def]
            given.append(work)
            return super().submit(*work, **options)

    monkeypatch.setattr(scoring, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(scoring, "MANY", 1)
    return given


def test_processes_give_the_same(harness: Harness, demo: Path, whole: str, processes: list[object]) -> None:
    code, out, _ = harness(*arguments(demo))
    assert code == 0
    assert all(row in out for row in ROWS)
    assert len(processes) == len(ROWS)
    assert_same("runs", whole)

    for row in ROWS:
        (folder(row) / "record.json").unlink()
        (folder(row) / "diagnosis.json").unlink()
    again, lines, _ = harness(*arguments(demo))
    assert (again, sorted(lines.splitlines())) == (code, sorted(out.splitlines()))  # in the order of their ends
    assert len(processes) == 2 * len(ROWS)
    assert_same("runs", whole)


def test_one_run_needs_no_process(harness: Harness, demo: Path, processes: list[object]) -> None:
    assert harness(*arguments(demo, rows=ROWS[:1]))[0] == 0
    assert not processes


def test_what_a_process_was_to_score_is_scored_when_it_dies(
    harness: Harness, demo: Path, whole: str, processes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "measure", scorers.dies)
    assert harness(*arguments(demo))[0] == 0
    assert processes
    for row in ROWS:
        found, expected = record(row), record(row, whole)
        assert found.metrics == expected.metrics
        assert (folder(row) / "diagnosis.json").read_bytes() == (folder(row, whole) / "diagnosis.json").read_bytes()
        assert found.warnings == [
            *expected.warnings,
            "a scoring process died, perhaps out of memory; the main process scored the run again",
        ]


def test_what_fails_in_a_process_is_in_the_record(
    harness: Harness, demo: Path, processes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "measure", scorers.fails)
    code, _, err = harness(*arguments(demo))
    assert code == 3
    assert processes
    for row in ROWS:
        assert record(row).status == "failed"
        assert record(row).reason == "these cannot be scored\n  make others"
    assert "Traceback" not in err
