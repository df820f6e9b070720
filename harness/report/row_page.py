"""The page of a row: its numbers with all details, or the reason why there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ObtainError
from harness.metrics.diagnosis.model import Diagnosis, Keypoint
from harness.plugins import plugin
from harness.protocol import DatasetPool
from harness.report import numbers
from harness.report.cases import Gallery, Room, gallery, limbs
from harness.report.command import reproduce_command
from harness.report.pages import render
from harness.report.plot import Bars, Plot
from harness.report.protocol_table import Line, ledger
from harness.report.results import Result
from harness.report.row_figures import chart_figures, histogram_figure, history_figure
from harness.report.standings import Standing, printed_like
from harness.report.upstream_issue import upstream_issue
from harness.suites.schema import Claim, Column, Metric, Row, Run

MANY, FEW = 30, 20
"""If a run has more than MANY keypoints, its page shows only FEW: faces have 98, whole bodies 133, clothes 294."""


@dataclass(frozen=True)
class ClaimLine:
    """A published value with its measured value."""

    claim: Claim
    metric: Metric
    measured: str
    difference: str
    verdict: str
    reason: str | None
    """Why the verdict is `within noise`."""
    unconfirmed: str | None
    """Why MMPose's metafiles do not state the value."""


@dataclass(frozen=True)
class MetricLine:
    """A measured metric of one run as text."""

    name: str
    value: str
    interval: str
    upstream: str | None
    noise: str | None
    faster: str | None


@dataclass(frozen=True)
class Errors:
    """The diagnosis of one run with its figures."""

    diagnosis: Diagnosis
    keypoints: tuple[Keypoint, ...]
    """All keypoints or, if there are many, those found least."""
    similarity: str
    """Name of the similarity between a pose and a person."""
    figures: tuple[Plot | Bars, ...]
    gallery: Gallery


@dataclass(frozen=True)
class Section:
    """One run of the row."""

    name: str
    run: Run
    result: Result | None
    is_mmpose: bool
    """Whether the config is one of MMPose's, not a file next to the suite."""
    metrics: tuple[MetricLine, ...]
    ledger: tuple[Line, ...]
    command: str
    history: tuple[tuple[Result, str, str], ...]
    """Each record with its first metric, and the metric's change since the previous complete record."""
    history_plot: Plot | None
    errors: Errors | None
    no_errors: str | None
    """Why there is no diagnosis."""


@dataclass(frozen=True)
class RowPage:
    """The page of a row and its pictures."""

    html: str
    images: Mapping[str, bytes]
    """By file name."""


def row_page(standing: Standing, usual: Mapping[str, str], data: Path | None, room: Room, has_card: bool) -> RowPage:
    """Return the page of a row.

    Args:
        standing: The row and its records.
        usual: The suite's usual protocol.
        data: An MMPose data/ folder, for pictures; None for pages without.
        room: Limits on the pictures of each run.
        has_card: Whether a file for model cards lies next to the page.
    """
    sections = [_section(standing, name, usual, data, room) for name in standing.row.runs]
    html = render(
        "row.html",
        "../../",
        s=standing,
        suite=standing.suite,
        row=standing.row,
        claims=_claim_lines(standing),
        sections=sections,
        issue=upstream_issue(standing),
        has_card=has_card,
    )
    images = {
        f"{section.name}-{picture.file}": picture.image
        for section in sections
        for picture in (section.errors.gallery.pictures if section.errors else ())
        if picture.image is not None
    }
    return RowPage(html, images)


def _claim_lines(standing: Standing) -> list[ClaimLine]:
    # Claims of splits come from their records; only the row's claims, which are about the mean, are judged again.
    of_runs = [j for result in standing.results.values() for j in result.record.claims if j.claim.run]
    judged = {j.claim: j for j in (*of_runs, *standing.claims)}
    lines = []
    for claim in standing.row.claims:
        metric = standing.suite.metrics[claim.metric]
        found = judged.get(claim) if standing.has_numbers else None
        recorded = standing.results.get(claim.run or "")
        verdict = found.verdict if found else recorded.record.verdict if recorded else standing.verdict
        lines.append(
            ClaimLine(
                claim=claim,
                metric=metric,
                measured=numbers.measured(found.measured if found else None, metric),
                difference=numbers.difference(found.difference if found else None, metric),
                verdict="contradicted" if claim.refuted else verdict,
                reason=found.reason if found else None,
                unconfirmed=_unconfirmed(standing.row, claim),
            )
        )
    return lines


def _unconfirmed(row: Row, claim: Claim) -> str | None:
    """Return why no metafile of MMPose states a claim of the row's table."""
    if claim.source != row.printed_source:
        return None
    return row.unconfirmed.get(Column(metric=claim.metric, run=claim.run).name) or row.no_metafile


def _section(standing: Standing, name: str, usual: Mapping[str, str], data: Path | None, room: Room) -> Section:
    suite, row, result = standing.suite, standing.row, standing.results.get(name)
    run, history = row.runs[name], [r for r in standing.history if r.record.run == name]
    first = standing.headline.of
    claimed = next((c.value for c in row.claims if c.metric == first and not c.refuted and c.run in (None, name)), None)
    errors, problem = _errors(standing, result, data, room)
    return Section(
        name=name,
        run=run,
        result=result,
        is_mmpose=not suite.has_config_of(run),
        metrics=tuple(_metric_lines(standing, result)) if result else (),
        ledger=tuple(ledger(standing, name, usual)),
        command=reproduce_command(standing, result),
        history=tuple(_history(history, first, suite.metrics[first])),
        history_plot=history_figure(history, first, suite.metrics[first], claimed),
        errors=errors,
        no_errors=problem,
    )


def _metric_lines(standing: Standing, result: Result) -> list[MetricLine]:
    record = result.record
    lines = []
    for name, value in record.metrics.items():
        metric = printed_like(standing.suite, name)
        shown: dict[str, Any] = {"upstream": None, "noise": None, "faster": None}
        if record.upstream_metrics is not None:
            theirs = record.upstream_metrics.get(name)
            shown["upstream"] = numbers.measured(numbers.in_unit(theirs, metric), metric)
        if record.noise:
            shown["noise"] = numbers.significant(numbers.in_unit(record.noise.floor(name), metric), 2)
        if record.effect:
            shown["faster"] = numbers.difference(numbers.in_unit(record.effect.metrics.get(name), metric), metric)
        bounds = record.intervals.get(name)
        low_high = (bounds[0] * metric.scale, bounds[1] * metric.scale) if bounds else None
        lines.append(
            MetricLine(
                name=name,
                value=numbers.measured(numbers.in_unit(value, metric), metric),
                interval=numbers.interval(low_high, metric),
                **shown,
            )
        )
    return lines


def _history(history: Sequence[Result], name: str, metric: Metric) -> list[tuple[Result, str, str]]:
    lines = []
    before: float | None = None
    for result in history:
        value = numbers.in_unit(result.record.metrics.get(name), metric)
        moved = value - before if value is not None and before is not None and result.record.whole else None
        lines.append((result, numbers.measured(value, metric), numbers.difference(moved, metric)))
        if result.record.whole and value is not None:
            before = value
    return lines


def _errors(
    standing: Standing, result: Result | None, data: Path | None, room: Room
) -> tuple[Errors | None, str | None]:
    """Return the diagnosis of a run with its figures, or the reason why there is none; neither without metrics."""
    if result is None or not result.record.metrics:
        return None, None
    path = result.folder.diagnosis
    if not path.is_file():
        return None, "This run has no diagnosis yet; harness score makes it from the saved predictions."
    try:
        diagnosis = Diagnosis.load(path)
    except ObtainError as error:
        return None, str(error)
    family = plugin("metrics", diagnosis.metric, f"{path}: metric")
    figures = [histogram_figure(diagnosis, family.similarity), *chart_figures(family.charts(diagnosis))]
    names = [keypoint.name for keypoint in diagnosis.keypoints]
    joined = limbs(result.protocol.dataset, names) if result.protocol else ()
    pooled = result.protocol is not None and isinstance(result.protocol.dataset, DatasetPool)
    folder = "" if pooled else standing.suite.dataset_of(standing.row).images  # a pool's names begin with the folder
    images = data / folder if data else None
    shown = gallery(diagnosis, joined, images, room)
    return Errors(diagnosis, _least_found(diagnosis), family.similarity, tuple(figures), shown), None


def _least_found(diagnosis: Diagnosis) -> tuple[Keypoint, ...]:
    """Return all keypoints in their order or, if they are too many for a page, those found least."""
    if len(diagnosis.keypoints) <= MANY:
        return diagnosis.keypoints
    labelled = [keypoint for keypoint in diagnosis.keypoints if keypoint.tally.found is not None]
    return tuple(sorted(labelled, key=lambda keypoint: keypoint.tally.found or 0.0)[:FEW])
