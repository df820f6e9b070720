"""Compares the demo's metrics in two results folders bit for bit: `same_metrics.py NEW BASELINE`."""

import sys
from pathlib import Path

from harness.record import Record


def metrics(folder: Path) -> dict[str, dict[str, float | None]]:
    """Return the metrics of every run of the demo below a results folder, by the run's folder."""
    return {
        path.parent.relative_to(folder).as_posix(): dict(Record.load(path).metrics)
        for path in sorted(folder.glob("demo/*/*/record.json"))
    }


if __name__ == "__main__":
    new, baseline = (metrics(Path(argument)) for argument in sys.argv[1:])
    moved = [run for run in baseline if new.get(run) != baseline[run]]
    for run in moved:
        print(f"{run}: {new.get(run)} is not {baseline[run]}")
    print(f"{len(baseline) - len(moved)} of {len(baseline)} runs have the same metrics to the last bit")
    sys.exit(bool(moved) or not baseline)
