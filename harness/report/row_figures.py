"""The figures of a row's page: precision over recall, OKS, gains by correction, and the row's history."""

import itertools
from collections.abc import Sequence

from harness.metrics.diagnosis.chart import Chart, CurveChart, GainChart
from harness.metrics.diagnosis.model import Diagnosis
from harness.report import numbers
from harness.report.plot import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Bar,
    Bars,
    Mark,
    Path,
    Plot,
    Scale,
    Shape,
    polyline,
    ticks,
    x_scale,
    y_scale,
)
from harness.report.results import Result
from harness.report.suite_figures import look
from harness.suites.schema import Metric


def chart_figures(charts: Sequence[Chart]) -> list[Plot | Bars]:
    """Return the figures that a metric family adds."""
    return [_curves(chart) if isinstance(chart, CurveChart) else _gains(chart) for chart in charts]


def _curves(chart: CurveChart) -> Plot:
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1.02, HEIGHT - BOTTOM, 12)
    plot = Plot(
        title=chart.title,
        description=chart.description,
        x_label=chart.x_label,
        y_label=chart.y_label,
        x_ticks=ticks(x, 5),
        y_ticks=ticks(y, 5),
    )
    for number, (name, values) in enumerate(chart.lines):
        steps = [(x(index / (len(values) - 1)), y(value)) for index, value in enumerate(values)]
        plot.paths.append(Path(polyline([(round(a), round(b)) for a, b in _corners(steps)]), f"curve c{number % 4}"))
        plot.legend.append((f"curve c{number % 4}", name))
    return plot


def _corners(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Remove points within a third of a px of the line between their neighbours."""
    kept = points[:1]
    for (x, y), (next_x, next_y) in itertools.pairwise(points[1:]):
        last_x, last_y = kept[-1]
        if abs(last_y + (next_y - last_y) * (x - last_x) / (next_x - last_x) - y) > 0.33:
            kept.append((x, y))
    return [*kept, points[-1]]


def histogram_figure(diagnosis: Diagnosis, what: str) -> Plot:
    """Return a histogram of people by similarity to their pose; `what` is the name of the similarity."""
    counts = diagnosis.histogram
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1.06 * max(1, *counts), HEIGHT - BOTTOM, 12)
    width = 1 / len(counts)
    plot = Plot(
        title=f"People by {what}",
        description=f"{sum(counts):,} people with a pose; {sum(counts[len(counts) // 2 :]):,} of them above 0.5.",
        x_label=what,
        y_label="people",
        x_ticks=ticks(x, 5),
        y_ticks=[(place, label) for place, label in ticks(y, 5) if "." not in label],
    )
    columns = "".join(
        f"M{x((index + 0.5) * width):g} {y(0):g}V{y(people):g}" for index, people in enumerate(counts) if people
    )
    plot.shapes.append(Shape(columns, "bar", stroke=round((WIDTH - RIGHT - LEFT) * width - 1, 1)))
    return plot


def _gains(chart: GainChart) -> Bars:
    values = [gain for _, gain in chart.gains]
    x = Scale(min(0.0, *values), 1.06 * max(0.001, *values), 0, 100)
    bars = []
    for name, gain in sorted(chart.gains, key=lambda named: -named[1]):
        start, end = sorted((x(0), x(gain)))
        bars.append(Bar(name, numbers.signed(gain, chart.decimals), start, round(end - start, 1), "bar", ""))
    return Bars(title=chart.title, description=chart.description, zero=x(0), bars=tuple(bars), ticks=tuple(ticks(x, 4)))


def history_figure(history: Sequence[Result], name: str, metric: Metric, claimed: float | None) -> Plot | None:
    """Return a metric over the complete records of one run, the oldest first; None if there are fewer than two."""
    points = [
        (number, value, result)
        for number, result in enumerate(history, 1)
        if result.record.whole and (value := numbers.in_unit(result.record.metrics.get(name), metric)) is not None
    ]
    if len(points) < 2:
        return None
    values = [value for _, value, _ in points] + ([claimed] if claimed is not None else [])
    x, y = x_scale(1, len(history)), y_scale(min(values), max(values))
    plot = Plot(
        title=f"{name} over the records",
        description=", ".join(numbers.measured(value, metric) for _, value, _ in points),
        speaks=True,
        x_label="record, the oldest first",
        y_label=metric.label,
        x_ticks=[(x(number), str(number)) for number in range(1, len(history) + 1, 1 + len(history) // 12)],
        y_ticks=ticks(y),
        paths=[Path(polyline([(x(number), y(value)) for number, value, _ in points]), "front")],
    )
    if claimed is not None:
        plot.paths.append(Path(polyline([(LEFT, y(claimed)), (WIDTH - RIGHT, y(claimed))]), "claim"))
        plot.legend.append(("claim", f"published {numbers.published(claimed, metric)}"))
    for number, value, result in points:
        title = f"{number}: {numbers.measured(value, metric)}, {result.record.verdict}, {result.source}"
        plot.marks.append(Mark(x(number), y(value), look(result.record.verdict), title))
    return plot
