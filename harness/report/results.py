"""The run folders below some results folders, as they are on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ObtainError, UsageError, first_problems
from harness.files import read_json
from harness.protocol import Protocol
from harness.record import Record
from harness.run_folder import RunFolder


class Gpu(BaseModel):
    """The GPU that a run was on."""

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int | None = None
    """Bytes."""
    driver: str | None = None


class Environment(BaseModel):
    """What a run ran on, as `environment.json` has it."""

    model_config = ConfigDict(frozen=True)

    python: str | None = None
    platform: str | None = None
    packages: dict[str, str] = {}
    """Versions by name."""
    mmcv_ops: str | None = None
    """Whose compiled operators were there: mmcv's own, or the stand-in."""
    xtcocotools: str | None = None
    """What answered MMPose's import of xtcocotools; records of early versions do not tell."""
    commit: str | None = None
    """Of this project."""
    dirty: bool = False
    """Whether the checkout had changes that no commit has."""
    cpu: str | None = None
    threads: int | None = None
    gpu: Gpu | None = None
    cuda: str | None = None
    tf32: bool | None = None
    made: datetime | None = None
    """When the predictions were; records of early versions do not tell."""


@dataclass(frozen=True)
class Result:
    """One run, with its record and what lies beside it."""

    source: Path
    """The results folder that it was found below, as it was named."""
    folder: RunFolder
    record: Record
    protocol: Protocol | None
    """None where the run failed before it had one."""
    environment: Environment | None
    """None likewise."""


@dataclass(frozen=True)
class Results:
    """All runs that were found, and what could not be read."""

    found: tuple[Result, ...]
    """Folder by folder in the order given, within a folder by path."""
    problems: tuple[str, ...]
    """Files that could not be read, each with the reason."""


def read_results(folders: Sequence[Path]) -> Results:
    """Read the records below some folders, at any depth.

    Raises:
        UsageError: One of the folders is not there.
    """
    found, problems = [], []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"no results folder {folder}", "name folders that `harness run --out DIR` wrote")
        for path in sorted(folder.rglob("record.json"), key=_place):
            run = RunFolder(path.parent)
            try:
                record = Record.load(path)
            except ObtainError as error:
                problems.append(str(error))
                continue
            if broken := run.broken_seal(record):
                problems.append(f"left out: {broken}")
                continue
            protocol, environment = None, None
            if run.protocol.is_file():
                try:
                    protocol = Protocol.load(run.protocol)
                except ObtainError as error:
                    problems.append(str(error))
            if run.environment.is_file():
                try:
                    environment = Environment.model_validate(read_json(run.environment, "the environment"))
                except (ObtainError, ValidationError) as error:
                    problems.append(f"the environment cannot be read: {run.environment}: {first_problems(error)}")
            found.append(Result(folder, run, record, protocol, environment))
    return Results(tuple(found), tuple(problems))


def _place(path: Path) -> tuple[Path, bool, str]:
    """Sort by path, but runs that were moved aside, `<run>.<key>`, before the one that took their place."""
    name = path.parent.name
    return path.parent.parent, "." not in name, name


def current(results: Sequence[Result]) -> dict[str, Result]:
    """Return one result a run, by the run's name: the last whole one, or, where there is none, the last."""
    chosen: dict[str, Result] = {}
    for result in results:
        present = chosen.get(result.record.run)
        if present is None or result.record.whole or not present.record.whole:
            chosen[result.record.run] = result
    return chosen


def by_row(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each row, by its full id."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result.record.full_id, []).append(result)
    return grouped


def speed_of(results: Sequence[Result]) -> Iterator[tuple[int, float]]:
    """Yield people and the seconds that they took the network, for those of some results of which that is known."""
    for result in results:
        record = result.record
        # A pass that several networks shared says nothing of one of them, but each network's own seconds do.
        seconds = record.timings.get("forward") or (record.timings.get("predict") if record.together == 1 else None)
        if record.people and seconds:
            yield record.people, seconds
