"""What happens during a run, for a program to follow: one JSON object a line."""

import json
import time
from datetime import UTC, datetime
from typing import IO, Any

import click

from harness.cli.progress import TerminalProgress
from harness.run.row_outcome import RowOutcome

SCHEMA_VERSION = 1
_EVERY = 1.0
"""Seconds between two events about progress."""


class Events:
    """Writes events. Each has `event`, `time` (UTC) and `schema_version`; the others fields depend on the event.

    Args:
        file: Open for writing; None to write nothing.
    """

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self.failed = False
        """Whether some could not be written; the work goes on without them."""

    def write(self, event: str, **fields: Any) -> None:
        """Write an event."""
        if self._file:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"event": event, "time": now, "schema_version": SCHEMA_VERSION, **fields}
            try:
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()
            except OSError as error:
                click.echo(f"error: events are written no more: {self._file.name}: {error.strerror}", err=True)
                self._file, self.failed = None, True

    def row(self, outcome: RowOutcome) -> None:
        """Tell of a row that is done."""
        metrics = {record.run: record.metrics for record in outcome.records}
        self.write("row", row=outcome.id, verdict=outcome.verdict, metrics=metrics, reasons=outcome.reasons)


class WatchedProgress(TerminalProgress):
    """Bars and events about the same work."""

    def __init__(self, rows: int, events: Events) -> None:
        super().__init__(rows)
        self._events = events
        self._done = 0
        self._told = 0.0

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Begin a stage."""
        super().stage(of, name, people)
        self._done = 0
        self._events.write("stage", of=of, stage=name, people=people)

    def advance(self, people: int) -> None:
        """Count people."""
        super().advance(people)
        self._done += people
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            self._events.write("progress", people=self._done)

    def warn(self, of: str, text: str) -> None:
        """Tell of a warning."""
        super().warn(of, text)
        self._events.write("warning", of=of, text=text)

    def download(self, name: str, done: int, total: int | None) -> None:
        """Tell of a download."""
        super().download(name, done, total)
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            self._events.write("download", name=name, bytes=done, total=total)
