"""Events of a run for other programs: one JSON object per line."""

import json
import time
from datetime import UTC, datetime
from typing import IO, Any

import click

from harness.cli.progress import TerminalProgress
from harness.run.row_outcome import RowOutcome

SCHEMA_VERSION = 1
_EVERY = 1.0
"""Seconds between two progress events."""


class Events:
    """Writes events. Each has `event`, `time` (UTC) and `schema_version`; other fields depend on the event.

    Args:
        file: A file open for writing; None to write nothing.
    """

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self.failed = False
        """Whether writing failed; the run continues without events."""

    def write(self, event: str, **fields: Any) -> None:
        """Write an event."""
        if self._file:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"event": event, "time": now, "schema_version": SCHEMA_VERSION, **fields}
            try:
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()
            except OSError as error:
                click.echo(f"error: {self._file.name}: {error.strerror}; no more events are written", err=True)
                self._file, self.failed = None, True

    def row(self, outcome: RowOutcome) -> None:
        """Write an event about a row that is done."""
        metrics = {record.run: record.metrics for record in outcome.records}
        self.write("row", row=outcome.id, verdict=outcome.verdict, metrics=metrics, reasons=outcome.reasons)


class WatchedProgress(TerminalProgress):
    """Progress bars and events for the same work."""

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
        """Count people as done, and write an event at most once a second."""
        super().advance(people)
        self._done += people
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            self._events.write("progress", people=self._done)

    def warn(self, of: str, text: str) -> None:
        """Print a warning and write its event."""
        super().warn(of, text)
        self._events.write("warning", of=of, text=text)

    def download(self, name: str, done: int, total: int | None) -> None:
        """Show a download, and write an event at most once a second."""
        super().download(name, done, total)
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            self._events.write("download", name=name, bytes=done, total=total)
