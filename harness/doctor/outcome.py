"""What a check of the doctor finds, and the document that all of them make."""

from typing import Any, Literal

from pydantic import Field

from harness.document import Document
from harness.fields import Fields

Status = Literal["passed", "failed", "not run"]
Figures = dict[str, float | int | str | None]
"""What a check measured, by name and unit."""


class NotRun(Exception):  # noqa: N818 (it is an outcome)
    """Raised by a check that cannot run here; the message says what it needs."""


class Outcome(Fields):
    """What became of one check."""

    group: str
    name: str
    """Unique in the group."""
    status: Status
    reason: str = ""
    """Why it failed or did not run, in one line; of a check that passed, what a reader should know."""
    figures: Figures = {}
    seconds: float | None = None
    """Wall time of the check; None where it did not begin."""
    traceback: str | None = None
    """Of an exception that the check did not expect."""


class Examination(Document):
    """The document of `harness doctor --device`."""

    machine: dict[str, Any]
    """As `describe_machine` gives it."""
    device: str
    minutes: float
    """The bound that was asked for."""
    workers: int
    """Processes that check at the same time."""
    seconds: float = 0.0
    """Wall time so far."""
    checks: list[Outcome] = Field(default_factory=list)
    """In the order of their importance; those that are not done yet are `not run`."""

    def count(self, status: Status) -> int:
        """Return how many checks have a status."""
        return sum(check.status == status for check in self.checks)
