"""Reports the state of the runs in an output folder, without reading data, checkpoints or networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import ObtainError
from harness.record import Record
from harness.run.locks import RunLock
from harness.run.shards import share_done
from harness.run_folder import RunFolder
from harness.suites.schema import Row, Suite

State = Literal["done", "failed", "running", "begun", "to do"]


@dataclass(frozen=True)
class RunStatus:
    """The state of one run."""

    id: str
    """Suite, row and, if a row has several runs, run."""
    state: State
    """`begun`: some of its people are done, and no process works on it."""
    share: float
    """Share of its people that are done, 0 to 1."""
    detail: str
    """The verdict or what happened to the record since the run, the reason of a failure, or the process that works on
    it."""


def run_status(rows: Sequence[tuple[Suite, Row]], out: Path) -> list[RunStatus]:
    """Return the status of each run of rows."""
    return [
        _status(suite.row_id(row) + (f"/{run}" if len(row.runs) > 1 else ""), RunFolder.of(out, suite, row, run))
        for suite, row in rows
        for run in row.runs
    ]


def _status(name: str, folder: RunFolder) -> RunStatus:
    share = share_done(folder.shards)
    if holder := RunLock(folder.path).holder():
        return RunStatus(name, "running", share, str(holder))
    try:
        record = Record.load(folder.record)
    except ObtainError as error:
        damaged = "" if not folder.record.exists() else str(error).splitlines()[0]
        return RunStatus(name, "begun" if share else "to do", share, damaged)
    if record.status in ("failed", "unobtainable"):
        return RunStatus(name, "failed", share, (record.reason or record.status).splitlines()[0])
    return RunStatus(name, "done", 1.0, folder.damage(record) or record.verdict)
