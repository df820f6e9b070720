"""`harness check`: compare the suites with MMPose's configs and metafiles, or a data folder with the suites."""

import dataclasses
import itertools
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.amounts import aligned
from harness.cli.help import Verb
from harness.cli.options import check_data_folder, json_option, path_option, suites_argument
from harness.errors import HarnessError, SpecError, UsageError, counted
from harness.suites.audit import Audit, AuditFinding, audit_suite
from harness.suites.load import expanded, load_suite, published_suites
from harness.suites.schema import Suite

if TYPE_CHECKING:
    from harness.datasets.inspection import Inspection

EXIT_DIFFERENT = 1

Inspected = list[tuple[Suite, "Inspection"]]

_HEADINGS = {"fatal": "Fatal: run and score reject these data", "error": "Error", "warning": "Warning", "note": "Note"}
_COLUMNS = ("suite", "annotation file", "images", "on disk", "annotated", "people", "boxes", "used")


@click.command("check", cls=Verb)
@suites_argument
@path_option("--data", metavar="DIR", help="Check this MMPose data/ folder instead of the suites.")
@click.option("--images", "decode", is_flag=True, help="With --data: decode every image, which takes minutes.")
@json_option
@click.option("--json-schema", "as_schema", is_flag=True, help="Print the JSON Schema of a suite's file, for editors.")
def command(suites: tuple[str, ...], data: Path | None, decode: bool, as_json: bool, as_schema: bool) -> None:
    """Check the suites against MMPose's configs and metafiles, or a data folder against the suites.

    The check needs MMPose, but no checkpoints; it runs no network. SUITE is a name, such as coco, a group, such as
    hand, or the path of a YAML file; by default, all published tables are checked. The exit code is 1 if MMPose's files
    differ from a suite and the suite does not state the difference, or if a local file of weights is missing or has
    another sha256, and 2 for an invalid suite. A config next to your own YAML file is a Python program and is executed:
    check only suites whose authors you trust.

    With --data, the command inspects the annotations, images and boxes that the suites' runs read from that folder.
    Fatal: numbers would have no meaning; `harness run` and `harness score` reject the data. Error: a run fails or gives
    another number. Warning: a wrong number is likely. Note: harmless. The exit code is 3 if there is a fatal problem or
    an error. A missing data set is an error only if its suite is named on the command line, or if all are missing.
    """
    if decode and data is None:
        raise UsageError("--images needs a data folder", "name it with --data DIR")
    if as_schema:
        click.echo(
            json.dumps(
                {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Suite.model_json_schema(), indent=2
            )
        )
        return
    loaded = _load_all(expanded(suites) or published_suites())
    if data is not None:
        _check_data(loaded, data, named=bool(suites), decode=decode, as_json=as_json)
        return
    audits = [audit_suite(suite) for suite in loaded]
    click.echo(json.dumps(_document(audits), indent=2, ensure_ascii=False) if as_json else _report(audits))
    if any(audit.problems for audit in audits):
        raise click.exceptions.Exit(EXIT_DIFFERENT)


def _load_all(names: list[str]) -> list[Suite]:
    """Load the suites; if several are invalid, one error lists the messages of all."""
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
    if stuck := {name: reason for audit in audits for name, reason in _stuck(audit).items()}:
        lines += ["", "Rows that cannot be run, with the reason"]
        for name, reason in stuck.items():
            lines += [f"  {name}", *textwrap.wrap(reason, 116, initial_indent="    ", subsequent_indent="    ")]
    known = [finding for audit in audits for finding in audit.findings if finding.status == "known"]
    warnings = [finding for audit in audits for finding in audit.findings if finding.status == "warning"]
    problems = [finding for audit in audits for finding in audit.problems]
    if known:
        lines += [
            "",
            "Known disagreements: the published value, then the value in MMPose's metafile",
            *_described(known),
        ]
    if warnings:
        lines += ["", "Warnings: the usual value, then the value that the config states", *_described(warnings)]
    if problems:
        lines += ["", "Problems: the suite's value, then the value that was found", *_described(problems)]
    return "\n".join(lines)


def _counts(audits: list[Audit]) -> str:
    rows = [row for audit in audits for row in audit.suite.rows]
    parts = [counted(len(rows), "row"), counted(sum(len(row.runs) for row in rows), "run")]
    parts.append(f"{sum(audit.agreeing for audit in audits)} agree")
    if known := sum(len(audit.rows("known")) for audit in audits):
        parts.append(counted(known, "known disagreement"))
    if stuck := sum(len(_stuck(audit)) for audit in audits):
        parts.append(f"{stuck} cannot be run")
    if problems := sum(len(audit.problems) for audit in audits):
        parts.append(f"{problems} problems" if problems > 1 else "1 problem")
    return ", ".join(parts)


def _stuck(audit: Audit) -> dict[str, str]:
    """Return the reason of each row that cannot be run, by full id."""
    return {audit.suite.row_id(row): row.cannot_run for row in audit.suite.rows if row.cannot_run}


def _described(findings: list[AuditFinding]) -> list[str]:
    """Return one line for each row and reason, with the pairs of values, followed by one line for the reason."""
    lines = []
    for (row, status, reason), group in itertools.groupby(findings, lambda f: (f.row, f.status, f.reason)):
        values = "; ".join(f"{finding.subject} {finding.stated}, {finding.found}" for finding in group)
        gone = "no longer there: " if status == "gone" else ""
        lines += _wrapped(f"{row}  {gone}{values}", 2)
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
                "cannot_run": _stuck(audit),
                "findings": [dataclasses.asdict(finding) for finding in audit.findings],
            }
            for audit in audits
        ]
    }


def _check_data(suites: list[Suite], data: Path, *, named: bool, decode: bool, as_json: bool) -> None:
    from harness.datasets.inspection import inspect_suite

    check_data_folder(data)
    inspected = [(suite, inspection) for suite in suites for inspection in inspect_suite(suite, data, decode=decode)]
    found = [inspection for _, inspection in inspected if inspection.there]
    absent_is_error = named or not found
    document = _data_document(inspected, absent_is_error)
    click.echo(
        json.dumps(document, indent=2, ensure_ascii=False) if as_json else _data_report(inspected, absent_is_error)
    )
    if document["errors"]:
        raise click.exceptions.Exit(HarnessError.exit_code)


def _data_report(inspected: Inspected, absent_is_error: bool) -> str:
    lines = aligned([_COLUMNS, *(_cells(suite, inspection) for suite, inspection in inspected)])
    problems = [problem for _, inspection in inspected for problem in inspection.problems]
    told = {
        severity: [(str(problem), problem.advice) for problem in problems if problem.severity == severity]
        for severity in _HEADINGS
    }
    for suite, inspection in inspected:
        if absent_is_error and not inspection.there:
            text = f"{inspection.files.annotations}: not found, nor any other file of {suite.dataset.name}"
            told["error"].append((text, "name another folder with --data DIR, or put the data set there"))
    for severity, texts in told.items():
        if texts:
            lines += ["", _HEADINGS[severity] + ("s" if len(texts) > 1 and severity != "fatal" else "")]
        for text, advice in texts:
            lines += [*_wrapped(text, 2), *_wrapped(advice, 4)]
    return "\n".join(lines)


def _cells(suite: Suite, inspection: "Inspection") -> tuple[str, ...]:
    """Return a line of the table of counts, with the known count of the whole data set after the count found."""
    found, expected = inspection.found, inspection.expected
    if not inspection.there:
        return (suite.name, inspection.files.annotations, "not there", *[""] * (len(_COLUMNS) - 3))
    return (
        suite.name,
        inspection.files.annotations,
        _count(found.images, expected.images),
        _count(found.on_disk),
        _count(found.annotations),
        _count(found.people, expected.people),
        " / ".join(_count(boxes.people, expected.boxes) for boxes in found.boxes),
        " / ".join(_count(boxes.used) for boxes in found.boxes),
    )


def _count(found: int | None, expected: int | None = None) -> str:
    if found is None:
        return "?"
    return f"{found:,} of {expected:,}" if expected is not None and expected != found else f"{found:,}"


def _wrapped(text: str, indent: int) -> list[str]:
    """Wrap at spaces only: paths stay whole."""
    return textwrap.wrap(
        text,
        116,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _data_document(inspected: Inspected, absent_is_error: bool) -> dict[str, Any]:
    problems = [problem for _, inspection in inspected for problem in inspection.problems]
    absent = sum(not inspection.there for _, inspection in inspected)
    return {
        "schema_version": 1,
        "errors": sum(problem.severity in ("fatal", "error") for problem in problems) + absent_is_error * absent,
        "warnings": sum(problem.severity == "warning" for problem in problems),
        "notes": sum(problem.severity == "note" for problem in problems),
        "data": [
            {"suite": suite.name} | dataclasses.asdict(inspection) | {"expected": inspection.expected.model_dump()}
            for suite, inspection in inspected
        ],
    }
