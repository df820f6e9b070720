"""Suite files: loaded, checked, and planned up to the point where a run needs data."""

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.assets.checkpoint_files import find_checkpoint
from harness.assets.dataset import data_file
from harness.cli import main
from harness.errors import HarnessError
from harness.suites.configs import load_config
from harness.suites.ledger import data_paths
from harness.suites.load import load_suite

from . import seeds
from .fuzzing import TIMEOUT, Target, damage_text, fuzz

pytestmark = TIMEOUT


def write(folder: Path) -> None:
    (folder / "mine.yaml").write_text(seeds.SUITE)
    (folder / "first.py").write_text(seeds.CONFIG)


def load(folder: Path) -> None:
    suite = load_suite(folder / "mine.yaml")
    for row in suite.rows:
        assert min(row.size) > 0
        assert all(claim.metric in suite.metrics for claim in row.claims)


def check(folder: Path) -> None:
    assert main(["check", str(folder / "mine.yaml")]) in (0, 1, 2)


def steps(folder: Path) -> Iterator[Callable[[], object]]:
    """Yield the steps of a run before it reads data."""
    suite = load_suite(folder / "mine.yaml")
    for row in suite.rows:
        yield (folder / "runs" / suite.name / row.id).stat
        for name, run in row.runs.items():
            yield (folder / "runs" / suite.name / row.id / name).stat
            yield functools.partial(find_checkpoint, folder, run.checkpoint)
            yield functools.partial(data_file, folder, suite.annotations(row, run), "the annotation file")
            yield lambda row=row, run=run: data_paths(load_config(suite, row, run))  # type: ignore[misc]


def plan(folder: Path) -> None:
    for step in steps(folder):
        with suppress(HarnessError, FileNotFoundError):
            step()


def test_specs(tmp_path: Path) -> None:
    fuzz(Target(write, (load, check, plan), ("mine.yaml",), damage_text), tmp_path)
