"""One run on its way to its record."""

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
    """One run, and where it is kept."""

    suite: Suite
    row: Row
    run: str
    settings: Settings

    @property
    def folder(self) -> RunFolder:
        """Where what comes of it is kept."""
        return RunFolder(self.settings.out / self.suite.name / self.row.id / self.run)

    @cached_property
    def lock(self) -> RunLock:
        """Held by the process that works on it."""
        return RunLock(self.folder.path)

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.suite.row_id(self.row)

    def record(self, **fields: Any) -> Record:
        """Return a record of the run with these fields."""
        return Record(suite=self.suite.name, row=self.row.id, run=self.run, label=self.row.label, **fields)
