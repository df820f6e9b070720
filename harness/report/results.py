"""Reads the run folders below some results folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ObtainError, UsageError, first_problems
from harness.files import read_json
from harness.judge.verdict import judge_again
from harness.protocol import Protocol
from harness.record import UNSEALED, Record
from harness.run_folder import RunFolder, RunSpec


class Gpu(BaseModel):
    """The GPU of a run."""

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int | None = None
    """Bytes."""
    driver: str | None = None


class Environment(BaseModel):
    """The content of a run's `environment.json`."""

    model_config = ConfigDict(frozen=True)

    python: str | None = None
    platform: str | None = None
    packages: dict[str, str] = {}
    """Versions by name."""
    mmcv_ops: str | None = None
    """The implementation of mmcv's operators: mmcv's own, or the replacement."""
    xtcocotools: str | None = None
    """The implementation of xtcocotools that MMPose imported; None in records of early versions."""
    commit: str | None = None
    """Commit of this project."""
    dirty: bool = False
    """Whether the checkout had uncommitted changes."""
    cpu: str | None = None
    threads: int | None = None
    gpu: Gpu | None = None
    cuda: str | None = None
    tf32: bool | None = None
    made: datetime | None = None
    """Time at which the predictions were made; None in records of early versions."""


@dataclass(frozen=True)
class Result:
    """One run, with its record and the files next to it."""

    source: Path
    """The results folder above it, as given."""
    folder: RunFolder
    record: Record
    protocol: Protocol | None
    """None if the run failed before it had a protocol."""
    environment: Environment | None
    """None if the run failed before it had an environment."""


@dataclass(frozen=True)
class Results:
    """All runs found, and the files that could not be read."""

    found: tuple[Result, ...]
    """Folder by folder in the order given, within a folder by path."""
    changed: tuple[str, ...]
    """Records that no longer belong to their files, which `found` lacks: a message for each, with the next step."""
    problems: tuple[str, ...]
    """Files that could not be read, each with the reason."""


def read_results(folders: Sequence[Path]) -> Results:
    """Read the records below some folders, at any depth.

    Raises:
        UsageError: A folder does not exist.
    """
    found, changed, problems = [], [], []
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
                changed.append(f"{broken}\n  {run.mend(record)}")
                continue
            if record.unsealed:
                record = record.model_copy(update={"warnings": [*record.warnings, UNSEALED]})
            if run.spec.is_file():
                try:
                    record = judge_again(record, RunSpec.load(run.spec))
                except ObtainError as error:
                    problems.append(str(error))
            protocol, environment = None, None
            if run.protocol.is_file() or record.metrics:
                try:
                    protocol = Protocol.load(run.protocol)
                except ObtainError as error:
                    problems.append(str(error))
            if run.environment.is_file() or record.metrics:
                try:
                    found_there = read_json(run.environment, "the environment", Record.remedy)
                    environment = Environment.model_validate(found_there)
                except ObtainError as error:
                    problems.append(str(error))
                except ValidationError as error:
                    problems.append(f"the environment cannot be read: {run.environment}: {first_problems(error)}")
            found.append(Result(folder, run, record, protocol, environment))
    return Results(tuple(found), tuple(changed), tuple(problems))


def _place(path: Path) -> tuple[Path, bool, str]:
    """Sort key: by path, but runs that were moved aside, `<run>.<key>`, come before the run that replaced them."""
    name = path.parent.name
    return path.parent.parent, "." not in name, name


def current(results: Sequence[Result]) -> dict[str, Result]:
    """Return one result per run, by the run's name: the last complete one or, if there is none, the last one."""
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
    """Yield the number of people and the seconds in the network, for results that contain both."""
    for result in results:
        record = result.record
        # The time of a pass with several networks is not that of one network, but its own seconds in the network are.
        seconds = record.timings.get("forward") or (record.timings.get("predict") if record.together == 1 else None)
        if record.people and seconds:
            yield record.people, seconds
