"""Interrupted runs and their comparison with uninterrupted ones: two small rows, 4 people per batch."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from harness.cli import main
from harness.record import Record

ROWS = ("litehrnet-18-128x96", "litehrnet-18-dark-128x96")
PEOPLE = 17
BATCH = 4
VOLATILE = {"timings", "together"}


def arguments(data: Path, *extra: object, out: str = "runs", rows: tuple[str, ...] = ROWS) -> tuple[object, ...]:
    return (
        "run",
        "demo",
        "--rows",
        ",".join(rows),
        "--data",
        data,
        "--limit",
        6,
        "--batch-size",
        BATCH,
        "--offline",
        "--out",
        out,
        *extra,
    )


def folder(row: str, out: str = "runs") -> Path:
    return Path(out) / "demo" / row / "val"


def record(row: str, out: str = "runs") -> Record:
    return Record.load(folder(row, out) / "record.json")


def assert_same(out: str, other: str) -> None:
    """Check that two output folders contain the same files with the same bytes, except for times."""
    names = [
        sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()) for root in (out, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        ours, theirs = Path(out, name), Path(other, name)
        if ours.name == "record.json":
            values = [Record.load(path).model_dump(exclude=VOLATILE) for path in (ours, theirs)]
            assert values[0] == values[1]
        elif ours.name == "environment.json":
            values = [json.loads(path.read_text()) | {"made": None} for path in (ours, theirs)]
            assert values[0] == values[1]
        elif ours.name not in ("estimation.json", "log.txt"):
            assert ours.read_bytes() == theirs.read_bytes(), name


def ranges_done(row: str, out: str = "runs") -> list[tuple[int, int]]:
    """Return the people of each task done for a row, according to its log."""
    found = re.findall(rf"people (\d+) to (\d+) of {PEOPLE}: ", (folder(row, out) / "log.txt").read_text())
    return sorted((int(start), int(end)) for start, end in found)


def workers_of(pid: int) -> Iterator[psutil.Process]:
    """Yield the live worker processes of a run."""
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in str(child.cmdline()):
                yield child


def make_whole(demo: Path, folder: Path) -> str:
    """Return an output folder of an uninterrupted run."""
    out = str(folder / "runs")
    assert main([str(argument) for argument in arguments(demo, out=out)]) == 0
    return out
