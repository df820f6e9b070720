"""`harness list`: the rows of the suites and what was published of them."""

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option, out_option, rows_option, suites_argument
from harness.suites.load import published_suites, select
from harness.suites.schema import Claim, Row, Suite


@click.command("list")
@suites_argument
@rows_option
@out_option
@json_option
def command(suites: tuple[str, ...], glob: str | None, out: Path, as_json: bool) -> None:
    """Show the rows and what was published of them.

    SUITE is a name, such as coco, or the path of a YAML file; without one, all published tables are.
    """
    selected = select(suites or published_suites(), glob)
    states = _states(selected, out)
    if as_json:
        click.echo(json.dumps(_document(selected, states), indent=2, ensure_ascii=False))
        return
    for suite, rows in selected:
        click.echo(f"{suite.title}\n\n{_table(suite, rows, states)}\n")
    count = sum(len(rows) for _, rows in selected)
    click.echo(f"{_plural(count, 'row')}, {_plural(sum(len(row.runs) for _, rows in selected for row in rows), 'run')}")


def _states(selected: list[tuple[Suite, list[Row]]], out: Path) -> dict[str, str]:
    """Return each row's verdict by full id, from the records below `out`."""
    states = {suite.row_id(row): "not run" for suite, rows in selected for row in rows}
    for suite, rows in selected:
        if (out / suite.name).is_dir():
            from harness.judge.verdict import judge_row
            from harness.run_folder import saved_records

            for row in rows:
                states[suite.row_id(row)] = judge_row(row, suite.metrics, saved_records(out, suite, row))[1]
    return states


def columns(suite: Suite, row: Row, state: str) -> dict[str, str]:
    """Return a row's line as cells by column heading."""
    cells = {"row": suite.row_id(row), "label": row.label, "boxes": row.boxes}
    printed = {(claim.metric, claim.run): claim for claim in row.claims if claim.source == row.printed_source}
    for name, column in suite.columns.items():
        claim = printed.get((column.metric, column.run))
        cells[name] = _value(suite, claim) if claim else "-"
    cells["state"] = state
    return cells


def remarks(suite: Suite, row: Row) -> list[str]:
    """Return what is wrong with a row's label and its printed values."""
    found = [f"label: {row.label_note}"] if row.label_note else []
    for claim in row.claims:
        if claim.source == row.printed_source and claim.published_as:
            found.append(f"{claim.metric} is printed as {claim.published_as}")
        if claim.source == row.printed_source and claim.refuted:
            found.append(
                f"{claim.metric} {_value(suite, claim)} is wrong{_instead(suite, row, claim)}: {claim.refuted}"
            )
    return found


def _instead(suite: Suite, row: Row, refuted: Claim) -> str:
    same = [claim for claim in row.claims if claim.metric == refuted.metric and claim.gates and not claim.refuted]
    return "".join(f", {_value(suite, claim)} ({claim.source}) is right" for claim in same[:1])


def _value(suite: Suite, claim: Claim) -> str:
    return f"{claim.value:.{suite.metrics[claim.metric].decimals}f}"


def _table(suite: Suite, rows: list[Row], states: dict[str, str]) -> str:
    lines = [columns(suite, row, states[suite.row_id(row)]) for row in rows]
    widths = {name: max(len(name), *(len(line[name]) for line in lines)) for name in lines[0]}
    numbers = set(suite.columns)

    def text(cells: dict[str, str]) -> str:
        aligned = (
            cell.rjust(widths[name]) if name in numbers else cell.ljust(widths[name]) for name, cell in cells.items()
        )
        return f"  {'  '.join(aligned)}".rstrip()

    shown = [text({name: name for name in widths})]
    for row, line in zip(rows, lines, strict=True):
        shown.append(text(line))
        for remark in remarks(suite, row):
            shown += textwrap.wrap(remark, 110, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(shown)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _document(selected: list[tuple[Suite, list[Row]]], states: dict[str, str]) -> dict[str, Any]:
    return {
        "rows": [
            {
                "id": suite.row_id(row),
                "label": row.label,
                "label_note": row.label_note,
                "input_size": row.input_size,
                "boxes": row.boxes,
                "claims": [claim.model_dump() for claim in row.claims],
                "runs": list(row.runs),
                "state": states[suite.row_id(row)],
                "notes": row.notes,
            }
            for suite, rows in selected
            for row in rows
        ]
    }
