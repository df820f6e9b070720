"""`harness check`: the suites against MMPose's configs and metafiles."""

import dataclasses
import itertools
import json
import textwrap
from typing import Any

import click

from harness.cli.options import json_option, suites_argument
from harness.errors import SpecError
from harness.spec.audit import Audit, Finding, audit_suite
from harness.spec.load import load_suite, suite_names
from harness.spec.schema import Suite

EXIT_DIFFERENT = 1


@click.command("check")
@suites_argument
@json_option
@click.option("--json-schema", "as_schema", is_flag=True, help="Print the JSON Schema of a suite's file, for editors.")
def command(suites: tuple[str, ...], as_json: bool, as_schema: bool) -> None:
    """Check the suites against MMPose's configs and metafiles.

    Needs MMPose, but no data and no checkpoints; runs no network. SUITE is a name, such as coco, or the path of a YAML
    file; without one, all suites are checked. The exit code is 1 where MMPose's files differ from a suite in a way that
    the suite does not state, and 2 for a broken suite.
    """
    if as_schema:
        click.echo(
            json.dumps(
                {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Suite.model_json_schema(), indent=2
            )
        )
        return
    audits = [audit_suite(suite) for suite in _load_all(suites or tuple(suite_names()))]
    click.echo(json.dumps(_document(audits), indent=2, ensure_ascii=False) if as_json else _report(audits))
    if any(audit.problems for audit in audits):
        raise click.exceptions.Exit(EXIT_DIFFERENT)


def _load_all(names: tuple[str, ...]) -> list[Suite]:
    """Load the suites; of several broken ones, the error tells all."""
    suites, errors = [], []
    for name in names:
        try:
            suites.append(load_suite(name))
        except SpecError as error:
            errors.append(str(error))
    if errors:
        raise SpecError("\n".join(errors))
    return suites


def _report(audits: list[Audit]) -> str:
    width = max(len(audit.suite.name) for audit in audits)
    lines = [f"{audit.suite.name:{width}}  {_counts([audit])}" for audit in audits]
    if len(audits) > 1:
        lines.append(f"{'all':{width}}  {_counts(audits)}")
    known = [finding for audit in audits for finding in audit.findings if finding.status == "known"]
    problems = [finding for audit in audits for finding in audit.problems]
    if known:
        lines += ["", "Known disagreements: what was published, then what MMPose's metafile states", *_described(known)]
    if problems:
        lines += ["", "Problems: what the suite states, then what MMPose states", *_described(problems)]
    return "\n".join(lines)


def _counts(audits: list[Audit]) -> str:
    rows = [row for audit in audits for row in audit.suite.rows]
    parts = [f"{len(rows)} rows", f"{sum(len(row.runs) for row in rows)} runs"]
    parts.append(f"{sum(audit.agreeing for audit in audits)} agree")
    if known := sum(len(audit.rows("known")) for audit in audits):
        parts.append(f"{known} known disagreements" if known > 1 else "1 known disagreement")
    if problems := sum(len(audit.problems) for audit in audits):
        parts.append(f"{problems} problems" if problems > 1 else "1 problem")
    return ", ".join(parts)


def _described(findings: list[Finding]) -> list[str]:
    """Return a line for each row and reason, with both values of all that it applies to, and one for the reason."""
    lines = []
    for (row, status, reason), group in itertools.groupby(findings, lambda f: (f.row, f.status, f.reason)):
        values = "; ".join(f"{finding.subject} {finding.stated}, {finding.found}" for finding in group)
        gone = "no longer there: " if status == "gone" else ""
        lines += textwrap.wrap(f"{row}  {gone}{values}", 116, initial_indent="  ", subsequent_indent="    ")
        lines += textwrap.wrap(reason or "", 116, initial_indent="    ", subsequent_indent="    ")
    return lines


def _document(audits: list[Audit]) -> dict[str, Any]:
    return {
        "suites": [
            {
                "name": audit.suite.name,
                "rows": len(audit.suite.rows),
                "runs": sum(len(row.runs) for row in audit.suite.rows),
                "agree": audit.agreeing,
                "known": len(audit.rows("known")),
                "findings": [dataclasses.asdict(finding) for finding in audit.findings],
            }
            for audit in audits
        ]
    }
