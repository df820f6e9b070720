"""Fixtures of all fuzz tests."""

import copy
import functools
from typing import Any

import pytest

from harness.metrics import foreign
from harness.suites import configs, metainfo
from harness.suites.schema import Row, Run, Suite

from .fuzzing import CASES, LASTING, SEED

read_config = functools.cache(configs.read_config)
read_metainfo = functools.cache(metainfo._read)
load_config = configs.load_config
loaded: dict[str, Any] = {}


def load_config_once(suite: Suite, row: Row, run: Run) -> Any:
    if run.config not in loaded:
        loaded[run.config] = load_config(suite, row, run)
    return loaded[run.config]


@pytest.fixture(autouse=True)
def configs_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """MMPose's configs are not damaged here, and reading them takes longer than the rest."""
    monkeypatch.setattr(configs, "read_config", lambda path: copy.deepcopy(read_config(path)))
    monkeypatch.setattr(metainfo, "_read", read_metainfo)
    monkeypatch.setattr(foreign, "load_config", load_config_once)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LASTING:
        terminalreporter.write_line(f"fuzzing: {CASES} cases of each kind, HARNESS_FUZZ_SEED={SEED}")
