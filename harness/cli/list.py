"""`harness list`: show the rows of the suites and their published values."""

import functools
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from harness.cli.help import Verb
from harness.cli.options import json_option, out_option, rows_option, suites_argument
from harness.errors import counted
from harness.suites.load import DEMO, select
from harness.suites.schema import Claim, Row, Run, Suite

Selected = list[tuple[Suite, list[Row]]]


@click.command("list", cls=Verb)
@suites_argument
@rows_option
@out_option
@json_option
def command(suites: tuple[str, ...], glob: str | None, out: Path, as_json: bool) -> None:
    """Show the rows and their published values.

    SUITE is a name, such as coco, a group of suites (body, wholebody, hand, face, animal, fashion, all), or the path of
    a YAML file; by default, all published tables and the demo are shown.
    """
    selected = select(suites or ("all", DEMO), glob)
    states = _states(selected, out)
    if as_json:
        click.echo(json.dumps(_document(selected, states), indent=2, ensure_ascii=False))
        return
    several = len({suite.group for suite, _ in selected}) > 1
    for group, members in _grouped(selected).items():
        if several:
            click.echo(f"{click.style(_called(group), bold=True)}\n")
        for suite, rows in members:
            click.echo(f"{suite.title}\n\n{_table(suite, rows, states)}\n")
    if several:
        click.echo("\n".join(_overview(selected)))
    click.echo(_counts(selected))


def _grouped(selected: Selected) -> dict[str | None, Selected]:
    """Return the suites by group, in the order in which the groups first occur."""
    groups: dict[str | None, Selected] = {}
    for suite, rows in selected:
        groups.setdefault(suite.group, []).append((suite, rows))
    return groups


def _called(group: str | None) -> str:
    return group or "other"


def _overview(selected: Selected) -> Iterator[str]:
    """Yield a line for each group: its suites, each with its number of rows."""
    groups = _grouped(selected)
    width = max(len(_called(group)) for group in groups)
    for group, members in groups.items():
        suites = ", ".join(f"{suite.name} {len(rows)}" for suite, rows in members)
        head = f"{_called(group):{width}}  "
        yield from textwrap.wrap(
            suites, 118, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
        )
    yield ""


def _counts(selected: Selected) -> str:
    """Count rows and runs; those of the demo, which are in no published table, are counted separately."""
    parts = []
    for name, members in (
        ("", [(suite, rows) for suite, rows in selected if suite.name != DEMO]),
        (" of the demo", [(suite, rows) for suite, rows in selected if suite.name == DEMO]),
    ):
        if members:
            runs = sum(len(row.runs) for _, rows in members for row in rows)
            parts.append(f"{counted(sum(len(rows) for _, rows in members), 'row')}{name}, {counted(runs, 'run')}")
    return "; ".join(parts)


def _states(selected: Selected, out: Path) -> dict[str, str]:
    """Return each row's verdict by full id, from the records below `out`, or what happened to them since the run."""
    states = {suite.row_id(row): "not run" for suite, rows in selected for row in rows}
    for suite, rows in selected:
        if (out / suite.name).is_dir():
            from harness.judge.verdict import judge_row
            from harness.run_folder import RunFolder, saved_runs

            for row in rows:
                runs = saved_runs(out, suite, row)
                damage = next((found for folder, record in runs if (found := folder.damage(record))), None)
                records = [RunFolder.of(out, suite, row, run).record for run in row.runs]
                if len(runs) < sum(map(Path.is_file, records)):
                    damage = "record is damaged"
                verdict = judge_row(row, suite.metrics, [record for _, record in runs])[1]
                states[suite.row_id(row)] = damage or verdict
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
    """Return the errors in a row's label and printed values, and the reason why it cannot be run."""
    found = [f"label: {row.label_note}"] if row.label_note else []
    found += [f"cannot be run: {row.cannot_run}"] if row.cannot_run else []
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


def _run(suite: Suite, row: Row, run: Run) -> dict[str, Any]:
    """Return the inputs of a run: config, weights and data, with the sources of the files."""
    dataset = suite.dataset_of(row)
    paths = [suite.annotations(row, run), dataset.images, *dataset.extra.values()]
    if row.boxes == "detector" and dataset.boxes:
        paths.append(dataset.boxes)
    return {
        "config": run.config,
        "evaluated_like": row.evaluated_like,
        "checkpoint": run.checkpoint.model_dump(),
        "data": paths,
        "sources": _sources(tuple(paths)),
    }


@functools.cache
def _sources(paths: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the sources of files and folders: the URLs of downloads, and the page with manual instructions."""
    from harness.suites.sources import sources_of

    return [
        {
            "path": source.entry.path,
            "data_set": source.sources.name,
            "urls": source.download.urls if source.download else [],
            "page": source.by_hand.page if source.by_hand else None,
        }
        for source in sources_of(paths)
    ]


def _document(selected: Selected, states: dict[str, str]) -> dict[str, Any]:
    return {
        "rows": [
            {
                "id": suite.row_id(row),
                "label": row.label,
                "label_note": row.label_note,
                "input_size": row.input_size,
                "boxes": row.boxes,
                "suite": suite.name,
                "group": suite.group,
                "claims": [claim.model_dump() for claim in row.claims],
                "runs": {name: _run(suite, row, run) for name, run in row.runs.items()},
                "also_printed": row.also_printed,
                "state": states[suite.row_id(row)],
                "cannot_run": row.cannot_run,
                "notes": row.notes,
            }
            for suite, rows in selected
            for row in rows
        ]
    }
