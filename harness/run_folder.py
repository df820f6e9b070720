"""The run folder, `<out>/<suite>/<row>/<run>/`: all files of one run, each written atomically."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from harness.document import Document
from harness.errors import ObtainError, brief
from harness.files import content_key, sha256_file
from harness.record import MEASURED, Estimation, Record, Seal
from harness.suites.schema import Metric, Row, Suite

MEND = "recompute the record from its predictions with `harness score RUN_DIR`, or repeat the run"
"""The next step for a record that does not belong to the other files of its run."""


class RunSpec(Document):
    """The row of a run, its suite's metrics, and the resolved config."""

    title: ClassVar[str] = "spec"
    suite: dict[Literal["name", "title"], str]
    metrics: dict[str, Metric]
    row: Row
    run: str
    keypoints: tuple[str, ...] = ()
    """Names of the keypoints; empty in runs of earlier versions."""
    config: dict[str, Any]
    """The config; values without a JSON type are stored as text."""

    @classmethod
    def of(cls, suite: Suite, row: Row, run: str, config: dict[str, Any], keypoints: Sequence[str]) -> Self:
        """Return the spec of one of a row's runs."""
        about: dict[Literal["name", "title"], str] = {"name": suite.name, "title": suite.title}
        return cls(
            suite=about,
            metrics=suite.metrics,
            row=row,
            run=run,
            keypoints=tuple(keypoints),
            config=_jsonable(config),
        )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.run not in self.row.runs:
            raise ValueError(f"the row has no run {brief(self.run)}")
        if unknown := [claim.metric for claim in self.row.claims if claim.metric not in self.metrics]:
            raise ValueError(f"metrics: {brief(unknown[0])} is missing, which the row publishes")
        return self


class _Inside:
    """A descriptor that returns the path of a file or folder in a run folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "RunFolder", _: type["RunFolder"]) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run's files, and methods that read and write them."""

    path: Path

    predictions = _Inside("predictions.parquet")
    """Keypoints, scores, boxes and ids."""
    record = _Inside("record.json")
    """Metrics, claims, verdicts and timings."""
    protocol = _Inside("protocol.json")
    """The protocol ledger."""
    spec = _Inside("spec.json")
    """The row that was run, with its resolved config."""
    environment = _Inside("environment.json")
    """Packages, commit, processor, GPU."""
    estimation = _Inside("estimation.json")
    """Notes about the computation of the predictions: seconds, events, the effect of the precision."""
    diagnosis = _Inside("diagnosis.json")
    """Error analysis of the predictions, by keypoint."""
    upstream_metrics = _Inside("upstream_metrics.json")
    """Values of MMPose's own evaluator, if the upstream engine ran."""
    shards = _Inside("shards")
    """Predictions for some of the people, until the run is complete."""
    log = _Inside("log.txt")
    """The steps of the run with their times and places, MMPose's output, and the traceback of a failure."""

    @classmethod
    def of(cls, out: Path, suite: Suite, row: Row, run: str) -> Self:
        """Return the folder of one of a row's runs in an output folder."""
        return cls(out / suite.name / row.id / run)

    def clear_shards(self) -> None:
        """Remove all shards, because the run is complete or its content has changed."""
        shutil.rmtree(self.shards, ignore_errors=True)

    def sweep(self) -> None:
        """Remove incomplete files of a killed process; the caller must hold the run's lock."""
        for path in self.path.rglob(".*.part") if self.path.is_dir() else ():
            path.unlink(missing_ok=True)

    def note(self, text: str) -> None:
        """Add a line to the log, with the time."""
        with contextlib.suppress(OSError):  # steps that need the disk report that it is full
            self.path.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")

    def saved_record(self) -> Record | None:
        """Return the record; None if it is missing or cannot be read, and so must be made again."""
        try:
            return Record.load(self.record)
        except ObtainError:
            return None

    def save_record(self, record: Record) -> Record:
        """Seal a record with the folder's files, save it, and return it."""
        if record.metrics:
            record = record.model_copy(update={"seal": self._seal(record)})
        record.save(self.record)
        return record

    def damage(self, record: Record) -> str | None:
        """Return what happened to the record or the protocol since the run, in a few words; None if nothing did.

        Predictions, which are large, are not read.
        """
        if not self._is_of(record):
            return "record of another run"
        if record.unsealed:
            return "record has no seal"
        if _changed(record):
            return "record was changed"
        if (record.metrics or record.seal) and not self.protocol.is_file():
            return "protocol is missing"
        if record.seal and record.seal.protocol != sha256_file(self.protocol):
            return "protocol was changed"
        if record.seal and record.seal.spec and self.spec.is_file() and record.seal.spec != sha256_file(self.spec):
            return "spec was changed"
        return None

    def broken_seal(self, record: Record) -> str | None:
        """Return a message about a file that no longer belongs to the record; None if there is none, or no seal."""
        if _changed(record):
            return f"{self.record}: the metrics, or what they refer to, have been changed since they were measured"
        return self.changed_source(record)

    def check_seal(self, record: Record) -> None:
        """Check that the run's files belong to its record, and the record to the folder's run.

        Raises:
            ObtainError: A file no longer belongs to it, or the folder has the name of another run.
        """
        if not self._is_of(record):
            found = f"{record.full_id}/{record.run}"
            raise ObtainError(f"{self.record} is the record of {found}", "name the folder like its run")
        if broken := self.broken_seal(record):
            raise ObtainError(broken, self.mend(record))

    def _is_of(self, record: Record) -> bool:
        return (record.suite, record.row, record.run) == self.path.parts[-3:]

    def mend(self, record: Record) -> str:
        """Return the next step for a run whose seal is broken: what follows from changed predictions is unknown."""
        return "repeat the run" if self.changed_source(record) else MEND

    def changed_source(self, record: Record) -> str | None:
        """Return a message about a file that changed since the record was made; None if there is none, or no seal.

        Missing predictions, as in results that were copied without them, do not count as changed.
        """
        if record.seal is None:
            return None
        now = self._seal(record)
        for path, found, sealed in (
            (self.protocol, now.protocol, record.seal.protocol),
            (self.predictions, now.predictions, record.seal.predictions),
            (self.spec, now.spec, record.seal.spec or now.spec),
        ):
            if found is not None and found != sealed:
                return f"{path} has changed since the record was made from it"
        return None

    def has_predictions(self, key: str) -> bool:
        """Return whether complete, unchanged predictions of this content exist."""
        from harness.predictions import Predictions  # imports numpy and pyarrow, which the command line does not need

        if Predictions.saved_key(self.predictions) != key:
            return False
        record = self.saved_record()
        if record is None or record.seal is None or record.predictions_key != key:
            return True
        return record.seal.predictions == sha256_file(self.predictions)

    def _seal(self, record: Record) -> Seal:
        def digest(path: Path) -> str | None:
            return sha256_file(path) if path.is_file() else None

        return Seal(
            predictions=digest(self.predictions),
            protocol=digest(self.protocol),
            spec=digest(self.spec),
            measured=content_key(_measured(record)),
        )

    def saved_estimation(self) -> Estimation | None:
        """Return the notes about the predictions; None if they cannot be read, so that predictions are made again."""
        try:
            return Estimation.load(self.estimation)
        except ObtainError:
            return None

    def is_complete(self) -> bool:
        """Return whether a complete run exists, on any boxes."""
        record = self.saved_record()
        return record is not None and record.whole

    def make_way(self, predictions_key: str) -> None:
        """Move a complete run of other content aside, to `<run>.<key>/`, so that hours of work are not overwritten.

        If a complete run of the wanted content was moved aside before, it is moved back, also over a run that is not
        complete. If the place of a run to move aside is taken, the run is moved to `<run>.<key>.2/`, `.3/` and so on.
        """
        record = self.saved_record()
        if record and record.whole:
            if record.predictions_key in (None, predictions_key):
                return
            assert record.predictions_key is not None
            self.path.rename(self._free_place(record.predictions_key))
        aside = RunFolder(self._aside(predictions_key))
        earlier = aside.saved_record()
        if earlier and earlier.whole and earlier.predictions_key == predictions_key:
            if self.path.is_dir():
                shutil.rmtree(self.path)
            aside.path.rename(self.path)

    def _aside(self, predictions_key: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{predictions_key[:8]}")

    def _free_place(self, predictions_key: str) -> Path:
        """Return the first path for a run to move aside at which nothing is."""
        first = self._aside(predictions_key)
        places = (first.with_name(f"{first.name}.{number}") if number > 1 else first for number in count(1))
        return next(path for path in places if not path.exists())


def saved_runs(out: Path, suite: Suite, row: Row) -> list[tuple[RunFolder, Record]]:
    """Return the folders of a row's runs that have a record, each with its record."""
    folders = [RunFolder.of(out, suite, row, run) for run in row.runs]
    return [(folder, record) for folder in folders if (record := folder.saved_record())]


def _measured(record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json", include=set(MEASURED))


def _changed(record: Record) -> bool:
    """Return whether the measurements differ from the sealed ones; earlier versions did not seal the images' digest."""
    measured = _measured(record)
    earlier = {field: value for field, value in measured.items() if field != "image_content"}
    return record.seal is not None and record.seal.measured not in (content_key(measured), content_key(earlier))


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
