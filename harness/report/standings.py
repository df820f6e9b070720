"""The state of each row: its published values, its measured values, and those that a leaderboard may show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from harness.errors import HarnessError
from harness.judge.verdict import judge_row, mean_metrics
from harness.measures import Measure, is_measured, measure_of
from harness.openmmlab import openmmlab_needed
from harness.protocol import Protocol
from harness.record import JudgedClaim, Verdict
from harness.report.numbers import in_unit
from harness.report.results import Result, by_row, current, speed_of
from harness.report.sizes import Size, size_of
from harness.suites.schema import Claim, Metric, Row, Suite

NUMBERLESS: tuple[Verdict, ...] = ("partial", "unobtainable", "failed", "not run")
"""Verdicts whose rows do not show numbers in tables; the row's page shows what such a run measured."""


@dataclass(frozen=True)
class Cell:
    """One metric of one row; values are in the metric's unit."""

    name: str
    """Name of the column: the metric, and the subset of the row if it has several."""
    of: str
    """The metric's name."""
    metric: Metric
    printed: Claim | None
    """The value in the suite's table or, if the table has none, from the next best source."""
    held: JudgedClaim | None
    """The claim that the measured value is compared with: the closest one that is not refuted."""
    rivals: tuple[Claim, ...]
    """Claims of this metric with another value than `printed`."""
    measured: float | None
    """None if nothing was measured, or a leaderboard may not show it."""
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float | None:
        """Measured minus the claim `held`."""
        return self.held.difference if self.held and self.measured is not None else None

    @property
    def standing(self) -> float | None:
        """The published value that is not refuted."""
        return next((c.value for c in (self.printed, *self.rivals) if c and not c.refuted), None)


@dataclass(frozen=True)
class Speed:
    """Speed of a row's network."""

    people_per_s: float
    device: str
    precision: str


@dataclass(frozen=True)
class Standing:
    """A row with its records."""

    suite: Suite
    row: Row
    history: tuple[Result, ...]
    """All results of the row, the oldest first."""
    results: Mapping[str, Result]
    """The current results, by run."""
    claims: tuple[JudgedClaim, ...]
    """Claims about the whole row."""
    verdict: Verdict
    declared: Mapping[str, Protocol]
    """The protocol from the configs, by run: files without a hash, and no compute settings."""
    size: Size

    @property
    def id(self) -> str:
        """The full id, e.g. `coco/hrnet-w32-256x192`."""
        return self.suite.row_id(self.row)

    @property
    def has_numbers(self) -> bool:
        """Whether its numbers may be shown among others'."""
        return self.verdict not in NUMBERLESS

    @property
    def reasons(self) -> list[str]:
        """The distinct reasons why runs are not complete."""
        return list(dict.fromkeys(r.record.reason for r in self.results.values() if r.record.reason))

    @property
    def contradicted(self) -> bool:
        """Whether a value in the table is known to be wrong."""
        return any(claim.refuted for claim in self.row.claims if claim.source == self.row.printed_source)

    @cached_property
    def cells(self) -> list[Cell]:
        """One cell for each metric of the suite's table."""
        return [self.cell(name) for name in table_columns(self.suite)]

    @property
    def headline(self) -> Cell:
        """The first metric with a published value."""
        return next((cell for cell in self.cells if cell.printed), self.cells[0])

    def cell(self, name: str) -> Cell:
        """Return the cell of one column of the suite's table."""
        column = self.suite.column(name)
        claims = [claim for claim in self.row.claims if (claim.metric, claim.run) == (column.metric, column.run)]
        printed = next(iter(claims), None)
        held = closest([judged for judged in self.claims if judged.claim.run == column.run], column.metric)
        metric = self.suite.metrics[column.metric]
        value = held.measured if held else in_unit(self._metrics(column.run).get(column.metric), metric)
        shown = self.has_numbers and (held is not None or value is not None)
        return Cell(
            name=name,
            of=column.metric,
            metric=metric,
            printed=printed,
            held=held,
            rivals=tuple(claim for claim in claims if printed and claim.value != printed.value),
            measured=value if shown else None,
            interval=self.interval(column.metric, column.run) if shown else None,
        )

    def _metrics(self, subset: str | None) -> Mapping[str, float | None]:
        """Return the metrics of a subset or, without one, their means over the row's runs; subsets have no mean."""
        if subset is not None:
            return self.results[subset].record.metrics if subset in self.results else {}
        if self.row.runs_are == "subsets":
            return {}
        return mean_metrics([result.record for result in self.results.values()])

    def interval(self, name: str, subset: str | None = None) -> tuple[float, float] | None:
        """Return a metric's confidence interval; for a mean of runs, the means of the runs' lower and upper bounds.

        Runs of one row share videos (JHMDB's three splits do), so their errors are not independent. The standard
        deviation of a mean is at most the mean of the standard deviations, for any dependence.
        """
        runs = self.row.runs if subset is None else [subset]
        found = [self.results[run].record.intervals.get(name) for run in runs if run in self.results]
        bounds = [bound for bound in found if bound is not None]
        if len(bounds) < len(runs):
            return None
        low, high = (fmean(ends) * self.suite.metrics[name].scale for ends in zip(*bounds, strict=True))
        return low, high

    @property
    def speed(self) -> Speed | None:
        """Speed in people per second, from runs that a leaderboard may show."""
        results = list(self.results.values())
        pairs = list(speed_of(results))
        if not self.has_numbers or not pairs or len(pairs) < len(results):
            return None
        first = results[0]
        precision = first.protocol.compute.precision if first.protocol else NO_PRECISION
        return Speed(sum(people for people, _ in pairs) / sum(s for _, s in pairs), device(first), precision)

    @property
    def checkpoints(self) -> list[str]:
        """The runs' distinct weights: the first eight digits of the sha256, of the file used or else as published."""
        shown = []
        for name, run in self.row.runs.items():
            result = self.results.get(name)
            used = result.record.weights.sha256 if result and result.record.weights and self.has_numbers else None
            shown.append((used or run.checkpoint.sha256 or NO_HASH)[:8])
        return list(dict.fromkeys(shown))

    def protocol(self, run: str) -> tuple[Protocol | None, bool]:
        """Return the protocol of a run, and whether it comes from the record instead of the config."""
        result = self.results.get(run)
        if result and result.protocol:
            return result.protocol, True
        return self.declared.get(run), False


NO_PRECISION = "unknown precision"
NO_HASH = "no hash"
"""Shown for a checkpoint without a published sha256 that was not used."""


def closest(claims: Sequence[JudgedClaim], metric: str) -> JudgedClaim | None:
    """Return the claim to compare a metric with: the closest one that is not refuted, gating claims first."""
    standing = [judged for judged in claims if judged.claim.metric == metric and not judged.claim.refuted]
    return min(standing, key=lambda judged: (not judged.claim.gates, judged.distance), default=None)


def device(result: Result) -> str:
    """Return a description of the device that a run was computed on."""
    environment, on = result.environment, result.protocol.compute.device if result.protocol else "unknown device"
    if environment and on.startswith("cuda") and environment.gpu:
        return environment.gpu.name
    if environment and on == "cpu" and environment.cpu:
        threads = f", {environment.threads} threads" if environment.threads else ""
        return f"{environment.cpu}{threads}"
    return on


def printed_like(suite: Suite, name: str) -> Metric:
    """Return the format of a metric; a metric without published values uses the suite's first metric of that unit."""
    if name in suite.metrics:
        return suite.metrics[name]
    measure = measure_of(name) if is_measured(name) else Measure()
    alike = (metric for metric in suite.metrics.values() if (metric.unit == "px") == (measure.unit == "px"))
    return next(alike, None) or Metric(label=name, unit=measure.unit, decimals=measure.decimals)


def table_columns(suite: Suite) -> list[str]:
    """Return the columns of the suite's table, or all metrics if it has none."""
    return list(suite.columns or suite.metrics)


def read_standings(
    suite: Suite, results: Sequence[Result], sizes: Mapping[str, Size]
) -> tuple[list[Standing], list[str]]:
    """Judge all rows of a suite again, because claims change more often than runs are repeated.

    Args:
        suite: The suite of the rows.
        results: Results of any suites.
        sizes: Sizes of networks by the run's full id, for rows whose records lack them.

    Returns:
        The rows in the suite's order, and the reasons for configs that could not be read.
    """
    grouped = by_row([result for result in results if result.record.suite == suite.name])
    standings, problems = [], []
    for row in suite.rows:
        history = tuple(r for r in grouped.get(suite.row_id(row), []) if r.record.run in row.runs)
        chosen = current(history)
        ordered = {run: chosen[run] for run in row.runs if run in chosen}
        claims, verdict = judge_row(row, suite.metrics, [result.record for result in ordered.values()])
        try:
            declared = _declared(suite, row, ordered)
        except HarnessError as error:
            declared = {}
            problems.append(f"{suite.row_id(row)}: {error}")
        first = next(iter(row.runs))
        size = size_of(ordered[first].record if first in ordered else None, sizes.get(f"{suite.row_id(row)}/{first}"))
        standings.append(Standing(suite, row, history, ordered, tuple(claims), verdict, declared, size))
    return standings, list(dict.fromkeys(problems))


def _declared(suite: Suite, row: Row, results: Mapping[str, Result]) -> dict[str, Protocol]:
    """Return the protocol from the configs, for the runs of a row whose records have none."""
    if row.cannot_run:
        return {}
    # Imported here, because mmengine takes half a second and is not needed if every run has its record.
    with openmmlab_needed():
        from harness.suites.configs import load_config
        from harness.suites.ledger import protocol_without_files
        from harness.suites.overrides import stated

    overrides = {"overrides": stated(row.overrides)}
    return {
        name: protocol_without_files(load_config(suite, row, run)).model_copy(update=overrides)
        for name, run in row.runs.items()
        if name not in results or results[name].protocol is None
    }
