"""Sizes of networks: parameters and operations, from records or from the outcome of `harness parity`."""

from dataclasses import dataclass
from pathlib import Path

from harness.judge.parity import ParityReport
from harness.record import Record


@dataclass(frozen=True)
class Size:
    """The size of one network."""

    parameters: int | None = None
    gflop: float | None = None
    """For one crop; a multiplication and an addition count as two operations."""


def read_sizes(path: Path) -> dict[str, Size]:
    """Return the networks' sizes by the run's full id, such as `coco/alexnet-256x192/val`.

    Raises:
        ObtainError: The path does not exist or is not a report of `harness parity`.
    """
    return {run.id: Size(run.parameters, run.gflop) for run in ParityReport.load(path).runs}


def size_of(record: Record | None, counted: Size | None) -> Size:
    """Return a network's size from its record or, if the record lacks it, from `counted`."""
    if record is None or record.network is None:
        return counted or Size()
    return Size(record.network.parameters, record.network.gflop)
