"""The first page: links to the suites by kind of keypoints, data set and metric; then all rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from harness.record import Verdict
from harness.report.pages import render
from harness.report.standings import Standing, table_columns
from harness.report.suite_page import contradictions, verdict_counts
from harness.suites.schema import Group, Suite

Table = tuple[Suite, Sequence[Standing]]
PARTS: dict[Group | None, str] = {
    "body": "Body",
    "wholebody": "Whole body",
    "hand": "Hand",
    "face": "Face",
    "animal": "Animal",
    "fashion": "Fashion",
    None: "Others",
}
"""Headings of the groups, in the page's order; suites without a group come last."""


@dataclass(frozen=True)
class Entry:
    """The rows of one suite on one data set."""

    suite: Suite
    rows: int
    verdicts: list[tuple[Verdict, int]]


@dataclass(frozen=True)
class DataSet:
    """A data set and the suites that evaluate on it."""

    name: str
    metrics: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class GroupEntry:
    """All suites of a group."""

    anchor: str
    title: str
    rows: int
    data_sets: tuple[DataSet, ...]


@dataclass(frozen=True)
class MetricEntry:
    """Metrics that the same suites print."""

    names: tuple[str, ...]
    remark: str
    """Unit of a metric that is not a fraction, and whether lower is better."""
    suites: tuple[Suite, ...]


def index_page(tables: Sequence[Table], sources: Sequence[str], problems: Sequence[str]) -> str:
    """Return the first page.

    Args:
        tables: The suites and their rows; the suites of a group keep their order.
        sources: The results folders.
        problems: Files that could not be read, with reasons.
    """
    order = list(PARTS)
    tables = sorted(tables, key=lambda table: order.index(table[0].group))
    standings = [standing for _, rows in tables for standing in rows]
    return render(
        "index.html",
        "",
        suites=len(tables),
        parts=parts(tables),
        metrics=metric_index([suite for suite, _ in tables]),
        standings=standings,
        titles=PARTS,
        counts=verdict_counts(standings),
        names=[suite.name for suite, _ in tables],
        headlines=sorted({standing.headline.of for standing in standings}),
        sizes=sorted({standing.row.input_size for standing in standings}, key=_area),
        contradictions=[found for standing in standings for found in contradictions(standing)],
        sources=sources,
        problems=problems,
        records=sum(len(standing.history) for standing in standings),
    )


def parts(tables: Sequence[Table]) -> list[GroupEntry]:
    """Return the groups that have suites, each with its data sets."""
    found = []
    for group in (*get_args(Group), None):
        of_group = [(suite, rows) for suite, rows in tables if suite.group == group]
        if of_group:
            total = sum(len(rows) for _, rows in of_group)
            found.append(GroupEntry(group or "others", PARTS[group], total, tuple(_data_sets(of_group))))
    return found


def _data_sets(tables: Sequence[Table]) -> list[DataSet]:
    """Return the data sets of a group; a suite is listed below each data set that its rows are evaluated on."""
    rows_on: dict[str, dict[str, list[Standing]]] = {}
    for suite, standings in tables:
        for standing in standings:
            name = suite.dataset_of(standing.row).name
            rows_on.setdefault(name, {}).setdefault(suite.name, []).append(standing)
    return [
        DataSet(
            name,
            tuple(dict.fromkeys(metric for rows in by_suite.values() for metric in _printed(rows))),
            tuple(Entry(rows[0].suite, len(rows), verdict_counts(rows)) for rows in by_suite.values()),
        )
        for name, by_suite in rows_on.items()
    ]


def _printed(standings: Sequence[Standing]) -> list[str]:
    return [cell.of for standing in standings for cell in standing.cells if cell.printed]


def metric_index(suites: Sequence[Suite]) -> list[MetricEntry]:
    """Return all metrics that the suites print, grouped by the suites that print them, the most frequent first."""
    printed_in: dict[tuple[str, str], list[Suite]] = {}
    for suite in suites:
        for name in dict.fromkeys(suite.column(column).metric for column in table_columns(suite)):
            metric = suite.metrics[name]
            remarks = ("px" if metric.unit == "px" else "", "lower is better" if metric.better == "lower" else "")
            printed_in.setdefault((name, ", ".join(filter(None, remarks))), []).append(suite)
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (name, remark), its in printed_in.items():
        together.setdefault((remark, tuple(suite.name for suite in its)), []).append(name)
    entries = [
        MetricEntry(tuple(names), remark, tuple(printed_in[names[0], remark]))
        for (remark, _), names in together.items()
    ]
    return sorted(entries, key=lambda entry: -len(entry.suites))


def _area(size: str) -> tuple[int, str]:
    height, width = size.split("x")
    return int(height) * int(width), size
