"""The outcome of a row: its records, its claims and its verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.judge.verdict import judge_row
from harness.record import JudgedClaim, Record, Verdict
from harness.suites.schema import Row, Suite

if TYPE_CHECKING:
    from harness.run.executors.base import Executor
    from harness.run.plan import Settings
    from harness.run.progress import RunProgress


@dataclass(frozen=True)
class RowOutcome:
    """A row of a suite with the records of its runs, its judged claims and its verdict."""

    suite: Suite
    row: Row
    records: list[Record]
    claims: list[JudgedClaim]
    verdict: Verdict

    @property
    def id(self) -> str:
        """The row's full id."""
        return self.suite.row_id(self.row)

    @property
    def reasons(self) -> list[str]:
        """Why runs are not complete, each reason once."""
        return list(dict.fromkeys(record.reason for record in self.records if record.reason))

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {
            "id": self.id,
            "verdict": self.verdict,
            "claims": [claim.model_dump(mode="json") for claim in self.claims],
            "runs": [record.model_dump(mode="json") for record in self.records],
        }


def evaluate_rows(
    rows: Sequence[tuple[Suite, Row]], settings: "Settings", executor: "Executor", progress: "RunProgress"
) -> Iterator[RowOutcome]:
    """Check settings at once, then run rows and judge them when the outcomes are read.

    Returns:
        The outcome of each row, in the order in which rows are done.

    Raises:
        UsageError: A partial run would replace a complete one, the device does not have the precision, or no row uses
            the given box file.
    """
    from harness.predict.precision import check_precision
    from harness.run.rows import refuse_to_replace, run_rows

    check_precision(settings.precision, settings.device)
    if settings.boxes and all(row.boxes != "detector" for _, row in rows):
        raise UsageError(
            f"the box file {settings.boxes} is not used: all selected rows use annotated boxes",
            "leave it out, or select a row that uses a detector's boxes",
        )
    for suite, row in rows:
        refuse_to_replace(suite, row, settings)
    return (
        RowOutcome(suite, row, records, *judge_row(row, suite.metrics, records))
        for suite, row, records in run_rows(rows, settings, executor, progress)
    )
