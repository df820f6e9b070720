"""Finds the run that a full id names, and the claims about it."""

from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError, brief, check_number, check_text
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Claim, Row, Suite


def named_row(row_id: str) -> tuple[Suite, Row]:
    """Return the row with a full id, such as `coco/hrnet-w32-256x192` or `mine.yaml/my-net-256x192`.

    Raises:
        UsageError: The id names no row, or several, or is not text.
        SpecError: The suite cannot be used.
    """
    check_text("row", row_id, "a full id, such as coco/hrnet-w32-256x192")
    suite_name, _, name = row_id.rpartition("/")
    if row_id.endswith((".yaml", ".yml")):
        forms = [f"{row_id}/{row.id}" for row in load_suite(Path(row_id)).rows]
        raise UsageError(f"{row_id} is a suite; name one of its rows", ", ".join(forms[:10]))
    if not suite_name:
        raise UsageError(
            f"{row_id!r} is not a row's full id, such as coco/hrnet-w32-256x192 or mine.yaml/my-net-256x192",
            "harness list shows them",
        )
    suite = load_suite(suite_name)
    rows = select_rows(suite, name)
    if len(rows) > 1:
        raise UsageError(f"{row_id} matches {len(rows)} rows: {', '.join(map(suite.row_id, rows))}", "name one")
    return suite, rows[0]


def named_run(suite: Suite, row: Row, run: str | None) -> str:
    """Return the name of a row's run; without a name, that of its only run.

    Raises:
        UsageError: The row has no such run, or several runs and none is named.
    """
    if run is None and len(row.runs) == 1:
        return next(iter(row.runs))
    if run not in row.runs:
        raise UsageError(f"{suite.row_id(row)} has the runs {', '.join(row.runs)}", "choose one with --run NAME")
    return run


def claims_to_explain(suite: Suite, row: Row, run: str, targets: Mapping[str, float]) -> list[Claim]:
    """Return the claims about a run that nothing refutes, or other values in their place.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of its runs.
        targets: Values by metric, in the unit of the table; none for the row's claims.

    Raises:
        UsageError: The targets are no mapping, a value is not a finite number, the suite has no such metric, or nothing
            is published about the run.
    """
    if not isinstance(targets, Mapping):
        raise UsageError(f"targets must be a dict of values by metric, not {brief(targets)}")
    for metric, value in targets.items():
        check_number(f"the target {metric}", value)
        if metric not in suite.metrics:
            raise UsageError(f"the target {metric} is no metric of {suite.name}: {', '.join(suite.metrics)}")
    if targets:
        return [Claim(metric=metric, value=value, source="table") for metric, value in targets.items()]
    alone = len(row.runs) == 1
    claims = [claim for claim in row.claims if not claim.refuted and (claim.run == run or (alone and not claim.run))]
    claims = [claim for claim in claims if claim.gates] or claims
    if not claims:
        raise UsageError(
            f"nothing is published of {suite.row_id(row)} {run}", "name a value with --target METRIC=VALUE"
        )
    return claims
