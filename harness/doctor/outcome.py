"""The outcome of a check of the doctor, and the document with all outcomes."""

from typing import Any, Literal

from pydantic import Field

from harness.document import Document
from harness.fields import Fields

Status = Literal["passed", "failed", "not run"]
Figures = dict[str, float | int | str | None]
"""The measurements of a check, by name and unit."""


class NotRun(Exception):  # noqa: N818 (it is an outcome)
    """Raised by a check that cannot run here; the message names what it needs."""


class Outcome(Fields):
    """The outcome of one check."""

    group: str
    name: str
    """Unique in the group."""
    status: Status
    reason: str = ""
    """Why it failed or did not run, in one line; for a check that passed, a remark."""
    figures: Figures = {}
    seconds: float | None = None
    """Wall time of the check; None if it did not start."""
    traceback: str | None = None
    """The traceback of an exception that the check did not expect."""


class Examination(Document):
    """The document of `harness doctor --device`."""

    machine: dict[str, Any]
    """The result of `describe_machine`."""
    device: str
    minutes: float
    """The requested maximum duration."""
    workers: int
    """Processes that check at the same time."""
    seconds: float = 0.0
    """Wall time so far."""
    checks: list[Outcome] = Field(default_factory=list)
    """All checks in order of importance; checks that are not done yet are `not run`."""

    def count(self, status: Status) -> int:
        """Return the number of checks with a status."""
        return sum(check.status == status for check in self.checks)
