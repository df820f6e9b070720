"""The figures of a row's page: precision over recall, OKS, what corrections would gain, and the row's history."""

import itertools
from collections.abc import Sequence

from harness.metrics.diagnosis.model import Curve, Diagnosis, OksFigures
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


def curves_figure(curves: Sequence[Curve]) -> Plot:
    """Return precision over recall at each OKS threshold."""
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1.02, HEIGHT - BOTTOM, 12)
    plot = Plot(
        title="Precision and recall",
        description="Mean precision: "
        + ", ".join(
            f"{sum(curve.precision) / len(curve.precision):.3f} at OKS {curve.threshold:g}" for curve in curves
        ),
        x_label="recall",
        y_label="precision",
        x_ticks=ticks(x, 5),
        y_ticks=ticks(y, 5),
    )
    for number, curve in enumerate(curves):
        steps = [(x(index / (len(curve.precision) - 1)), y(value)) for index, value in enumerate(curve.precision)]
        plot.paths.append(Path(polyline(_corners(steps)), f"curve c{number % 4}"))
        plot.legend.append((f"curve c{number % 4}", f"OKS {curve.threshold:g}"))
    return plot


def _corners(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Drop points that lie on the line between the last one kept and the next, to a third of a px."""
    kept = points[:1]
    for (x, y), (next_x, next_y) in itertools.pairwise(points[1:]):
        last_x, last_y = kept[-1]
        if abs(last_y + (next_y - last_y) * (x - last_x) / (next_x - last_x) - y) > 0.33:
            kept.append((x, y))
    return [*kept, points[-1]]


def histogram_figure(diagnosis: Diagnosis) -> Plot:
    """Return how many people are how similar to their pose."""
    counts = diagnosis.histogram
    what = "OKS" if diagnosis.metric == "oks" else "similarity"
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
    steps = "".join(
        f"M{x(index * width) + 0.5:g} {y(0):g}V{y(people):g}H{x((index + 1) * width) - 0.5:g}V{y(0):g}z"
        for index, people in enumerate(counts)
        if people
    )
    plot.shapes.append(Shape(steps, "bar"))
    return plot


CORRECTIONS = {
    "jitter": "jitter moved to its place",
    "inversion": "left and right put right",
    "swap": "keypoints of others put right",
    "miss": "misses put right",
    "scores": "poses scored by their OKS",
    "background": "background poses dropped",
}


def corrections_figure(figures: OksFigures) -> Bars:
    """Return what AP would gain, were all errors of one kind corrected."""
    gains = {kind: ap - figures.ap for kind, ap in figures.corrected_ap.items()}
    x = Scale(min(0.0, *gains.values()), 1.06 * max(0.001, *gains.values()), 0, 100)
    bars = []
    for kind in sorted(gains, key=lambda kind: -gains[kind]):
        start, end = sorted((x(0), x(gains[kind])))
        bars.append(Bar(CORRECTIONS[kind], numbers.signed(gains[kind], 3), start, round(end - start, 1), "bar", ""))
    return Bars(
        title="What AP would gain",
        description=f"Over {figures.ap:.3f}, each correction by itself.",
        zero=x(0),
        bars=tuple(bars),
        ticks=tuple(ticks(x, 4)),
    )


def history_figure(history: Sequence[Result], name: str, metric: Metric, claimed: float | None) -> Plot | None:
    """Return a metric over the whole records of one run, the oldest first; None for fewer than two."""
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
