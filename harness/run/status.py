"""How far the runs of an output folder are, without looking into data, checkpoints or networks."""

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
    """How far one run is."""

    id: str
    """Suite, row and, where a row has several, run."""
    state: State
    """`begun`: some of its people are done, and nobody is at it."""
    share: float
    """Of the people that are done."""
    detail: str
    """The verdict, the reason of a failure, or who is at it."""


def run_status(rows: Sequence[tuple[Suite, Row]], out: Path) -> list[RunStatus]:
    """Return the status of each run of rows."""
    return [
        _status(suite.row_id(row) + (f"/{run}" if len(row.runs) > 1 else ""), out / suite.name / row.id / run)
        for suite, row in rows
        for run in row.runs
    ]


def _status(name: str, path: Path) -> RunStatus:
    folder = RunFolder(path)
    share = share_done(folder.shards)
    if holder := RunLock(path).holder():
        return RunStatus(name, "running", share, str(holder))
    try:
        record = Record.load(folder.record)
    except ObtainError as error:
        damaged = "" if not folder.record.exists() else str(error).splitlines()[0]
        return RunStatus(name, "begun" if share else "to do", share, damaged)
    if record.status in ("failed", "unobtainable"):
        return RunStatus(name, "failed", share, (record.reason or record.status).splitlines()[0])
    return RunStatus(name, "done", 1.0, record.verdict)
