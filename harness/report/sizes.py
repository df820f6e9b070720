"""How large networks are: parameters and operations, from records or from what `harness parity` counted."""

from dataclasses import dataclass
from pathlib import Path

from harness.judge.parity import ParityReport
from harness.record import Record


@dataclass(frozen=True)
class Size:
    """One network."""

    parameters: int | None = None
    gflop: float | None = None
    """For one crop, a multiplication and an addition counting two."""


def read_sizes(path: Path) -> dict[str, Size]:
    """Return the networks' sizes by the run's full id, such as `coco/alexnet-256x192/val`.

    Raises:
        ObtainError: There is no report of `harness parity` at the path, or it is none.
    """
    return {run.id: Size(run.parameters, run.gflop) for run in ParityReport.load(path).runs}


def size_of(record: Record | None, counted: Size | None) -> Size:
    """Return a network's size by its record, or by what parity counted where that does not tell."""
    if record is None or record.network is None:
        return counted or Size()
    return Size(record.network.parameters, record.network.gflop)
