"""The run folder, `<out>/<suite>/<row>/<run>/`: everything about one run, each file whole or absent."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from harness.document import Document
from harness.errors import ObtainError, brief
from harness.files import content_key, sha256_file
from harness.record import MEASURED, Estimation, Record, Seal
from harness.suites.schema import Metric, Row, Suite


class RunSpec(Document):
    """The row of a run, its suite's metrics, and the resolved config."""

    title: ClassVar[str] = "spec"
    suite: dict[Literal["name", "title"], str]
    metrics: dict[str, Metric]
    row: Row
    run: str
    keypoints: tuple[str, ...] = ()
    """The names of the keypoints; none in runs of former versions."""
    config: dict[str, Any]
    """With the texts of what JSON does not have."""

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
        return self


class _Inside:
    """A file or folder in a run folder: its path, of each folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "RunFolder", _: type["RunFolder"]) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """Names the files of one run, and reads and writes them."""

    path: Path

    predictions = _Inside("predictions.parquet")
    """Keypoints, scores, boxes and ids."""
    record = _Inside("record.json")
    """Metrics, claims, verdicts and timings."""
    protocol = _Inside("protocol.json")
    """The protocol ledger."""
    spec = _Inside("spec.json")
    """The row as run, with its resolved config."""
    environment = _Inside("environment.json")
    """Packages, commit, processor, GPU."""
    estimation = _Inside("estimation.json")
    """How the predictions came about: seconds, events, the effect of the precision."""
    diagnosis = _Inside("diagnosis.json")
    """What is wrong with the predictions, keypoint by keypoint."""
    upstream_metrics = _Inside("upstream_metrics.json")
    """What MMPose's own evaluator gave, if the upstream engine ran."""
    shards = _Inside("shards")
    """What is predicted already, while not all is."""
    log = _Inside("log.txt")
    """What was done when and where, what MMPose printed, and the traceback of a failure."""

    def clear_shards(self) -> None:
        """Remove all shards: the run is whole, or its content another one."""
        shutil.rmtree(self.shards, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed process left half written; only for who has the run's lock."""
        for path in self.path.rglob(".*.part") if self.path.is_dir() else ():
            path.unlink(missing_ok=True)

    def note(self, text: str) -> None:
        """Add to the log, with the time."""
        with contextlib.suppress(OSError):  # a disk that is full will be told of by what cannot do without it
            self.path.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")

    def saved_record(self) -> Record | None:
        """Return the record; None where there is none that can be read: it is then made again."""
        try:
            return Record.load(self.record)
        except ObtainError:
            return None

    def save_record(self, record: Record) -> Record:
        """Seal a record with the files that are here, save it, and return it."""
        if record.metrics:
            record = record.model_copy(update={"seal": self._seal(record)})
        record.save(self.record)
        return record

    def broken_seal(self, record: Record) -> str | None:
        """Return which file does not belong to the record any more; None where all do, or nothing tells."""
        if record.seal and record.seal.measured != content_key(_measured(record)):
            return f"{self.record}: its metrics, or what they are of, are not those that were measured"
        return self.changed_source(record)

    def changed_source(self, record: Record) -> str | None:
        """Return which file that the record was made from is another one now; None where none is, or nothing tells.

        Predictions that are absent, as in results that were copied without them, are not another file.
        """
        if record.seal is None:
            return None
        now = self._seal(record)
        for path, found, sealed in (
            (self.protocol, now.protocol, record.seal.protocol),
            (self.predictions, now.predictions, record.seal.predictions),
        ):
            if found is not None and found != sealed:
                return f"{path} is not the file that the record was made from"
        return None

    def has_predictions(self, key: str) -> bool:
        """Whether the predictions of this content are here, as they were made."""
        from harness.predictions import Predictions  # numpy and pyarrow, which the command line does without

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
            measured=content_key(_measured(record)),
        )

    def saved_estimation(self) -> Estimation | None:
        """Return how the predictions came about; None where that cannot be read: they are then made again."""
        try:
            return Estimation.load(self.estimation)
        except ObtainError:
            return None

    def is_complete(self) -> bool:
        """Whether a complete run is here, on whatever boxes."""
        record = self.saved_record()
        return record is not None and record.whole

    def make_way(self, predictions_key: str) -> None:
        """Move a complete run of other content aside, to `<run>.<key>/`: hours of work are not overwritten.

        A run of the wanted content that was moved aside itself comes back.
        """
        record = self.saved_record()
        if record and record.whole and record.predictions_key not in (None, predictions_key):
            assert record.predictions_key is not None
            self.path.rename(self._aside(record.predictions_key))
            if self._aside(predictions_key).is_dir():
                self._aside(predictions_key).rename(self.path)

    def _aside(self, predictions_key: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{predictions_key[:8]}")


def saved_records(out: Path, suite: Suite, row: Row) -> list[Record]:
    """Return the records of a row's runs, those that there are."""
    folders = [RunFolder(out / suite.name / row.id / run) for run in row.runs]
    return [record for folder in folders if (record := folder.saved_record())]


def _measured(record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json", include=set(MEASURED))


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
