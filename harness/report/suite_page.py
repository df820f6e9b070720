"""The page of a suite."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from harness.record import Verdict
from harness.report.downloads import FORMS
from harness.report.pages import render, slug
from harness.report.protocol_table import Line, counted_fields, ledger
from harness.report.standings import Standing, table_columns
from harness.report.suite_figures import cost_figures, difference_figures
from harness.suites.schema import Claim, Suite


@dataclass(frozen=True)
class NumberlessRows:
    """Rows without numbers for the same reason."""

    verdict: Verdict
    reason: str
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Contradiction:
    """A value or label of the published table that is known to be wrong."""

    standing: Standing
    claim: Claim | None
    """None for a label."""
    right: tuple[Claim, ...]
    """The values of other sources."""
    reason: str


def suite_page(suite: Suite, standings: Sequence[Standing], usual: Mapping[str, str]) -> str:
    """Return the page of a suite."""
    metrics = table_columns(suite)
    chosen = chosen_metrics(standings)
    return render(
        "suite.html",
        "../",
        suite=suite,
        standings=standings,
        metrics=metrics,
        chosen=chosen,
        printed_as=printed_as(suite),
        counts=verdict_counts(standings),
        sizes=list(dict.fromkeys(standing.row.input_size for standing in standings)),
        groups=numberless(standings),
        contradictions=[found for standing in standings for found in contradictions(standing)],
        several=any(standing.row.has_mean for standing in standings),
        usual=shared_protocol(standings, usual),
        unusual=[(standing, lines) for standing in standings if (lines := peculiarities(standing, usual))],
        costs=cost_figures(standings, metrics[0]),
        differences=[figure for name in chosen for figure in difference_figures(standings, name)],
        downloads=[(form, f"{slug(suite.name)}.{form}") for form in FORMS],
    )


def verdict_counts(standings: Sequence[Standing]) -> list[tuple[Verdict, int]]:
    """Return the number of rows for each verdict that occurs, from good to bad."""
    counts = Counter(standing.verdict for standing in standings)
    return [(verdict, counts[verdict]) for verdict in get_args(Verdict) if counts[verdict]]


def numberless(standings: Sequence[Standing]) -> list[NumberlessRows]:
    """Group the rows whose runs are not complete by the reason, largest group first."""
    groups: dict[tuple[Verdict, str], list[Standing]] = {}
    for standing in standings:
        for reason in standing.reasons:
            groups.setdefault((standing.verdict, reason), []).append(standing)
    found = [NumberlessRows(verdict, reason, tuple(rows)) for (verdict, reason), rows in groups.items()]
    return sorted(found, key=lambda group: -len(group.standings))


def chosen_metrics(standings: Sequence[Standing]) -> list[str]:
    """Return the metrics shown first: two of the table, and one for each row that has neither."""
    metrics = table_columns(standings[0].suite)
    chosen = metrics[:2]
    for standing in standings:
        if not any(cell.printed for cell in standing.cells if cell.name in chosen):
            chosen.append(standing.headline.name)
    return [name for name in metrics if name in chosen]


def printed_as(suite: Suite) -> dict[str, str]:
    """Return the printed names of metrics whose name in the table is wrong."""
    return {
        claim.metric: claim.published_as
        for row in suite.rows
        for claim in row.claims
        if claim.source == row.printed_source and claim.published_as
    }


def contradictions(standing: Standing) -> list[Contradiction]:
    """Return the errors of the published table about a row."""
    row = standing.row
    found = [Contradiction(standing, None, (), row.label_note)] if row.label_note else []
    for claim in row.claims:
        if claim.source == row.printed_source and claim.refuted:
            right = [c for c in row.claims if c.metric == claim.metric and c.run == claim.run and not c.refuted]
            found.append(Contradiction(standing, claim, tuple(right), claim.refuted))
    return found


def shared_protocol(standings: Sequence[Standing], usual: Mapping[str, str]) -> list[tuple[str, str, int, int]]:
    """Return for each field its usual value, the number of runs with it, and the number of runs with the field."""
    counted = counted_fields(standings)
    return [(field, value, counted[field][value], counted[field].total()) for field, value in usual.items()]


def peculiarities(standing: Standing, usual: Mapping[str, str]) -> list[Line]:
    """Return the unusual lines of a row's protocol, without those that follow from its size or data set."""
    lines = [line for run in standing.row.runs for line in ledger(standing, run, usual) if line.unusual]
    own: tuple[str, ...] = ("crop.input_size", "decoder.heatmap_size", "decoder.blur_kernel_size")
    if len(standing.row.runs) > 1:
        own += ("annotations.",)
    if any(line.field == "dataset" for line in lines):
        own += ("annotations.", "num_keypoints", "flip_indices", "boxes.file.", "scoring.sigmas")
    distinct = {(line.field, line.value): line for line in lines}
    return [line for line in distinct.values() if not line.field.startswith(own)]
