"""A run together with its folder, lock and record."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.record import Record
from harness.run.locks import RunLock
from harness.run.plan import Settings
from harness.run_folder import RunFolder
from harness.suites.schema import Row, Suite


@dataclass
class Job:
    """One run with its suite, row, settings and output folder."""

    suite: Suite
    row: Row
    run: str
    settings: Settings

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder.of(self.settings.out, self.suite, self.row, self.run)

    @cached_property
    def lock(self) -> RunLock:
        """The lock that the process working on this run holds."""
        return RunLock(self.folder.path)

    @property
    def name(self) -> str:
        """Name of the run in progress messages."""
        return self.suite.row_id(self.row)

    def record(self, **fields: Any) -> Record:
        """Return a record of the run with these fields."""
        return Record(suite=self.suite.name, row=self.row.id, run=self.run, label=self.row.label, **fields)
