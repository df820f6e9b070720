"""The figures of a suite's page: accuracy over cost, published and measured values, difference by row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import counted
from harness.report import numbers
from harness.report.plot import (
    LEFT,
    RIGHT,
    WIDTH,
    Bar,
    Bars,
    Mark,
    Path,
    Plot,
    Rectangle,
    Scale,
    place_labels,
    polyline,
    shorten,
    ticks,
    x_scale,
    y_scale,
)
from harness.report.standings import Cell, Standing
from harness.suites.schema import Metric

CLIP = 12.0
"""Differences above this many times the rounding are drawn at the edge, so that the rounding stays visible."""


@dataclass(frozen=True)
class _Point:
    """A row with its cost and its accuracy."""

    standing: Standing
    cost: float
    accuracy: float
    measured: bool
    """Whether the accuracy was measured; else it is the published one."""


def cost_figures(standings: Sequence[Standing], name: str) -> list[Plot]:
    """Return accuracy over speed, parameters and operations, for rows with known values.

    Rows with other people (detected or annotated boxes) or another data set are not comparable and get separate
    figures; a figure needs two rows.
    """
    figures = []
    everybody = [_people(standing) for standing in standings]
    for people in dict.fromkeys(everybody):
        rows = [standing for standing, its in zip(standings, everybody, strict=True) if its == people]
        which = "" if len(rows) == len(standings) else f", {people}"
        speeds = Counter((s.speed.device, s.speed.precision) for s in rows if s.speed)
        if speeds:
            where, count = speeds.most_common(1)[0]
            elsewhere = sum(speeds.values()) - count
            left_out = f"; {elsewhere} on another device or precision left out" if elsewhere else ""
            same = [(s, s.speed.people_per_s) for s in rows if s.speed and (s.speed.device, s.speed.precision) == where]
            figure = _cost(same, name, f"speed{which}", "people per second", "{:,.3g} people/s", faster=True)
            figure.description = f"On {shorten(where[0], 60)}, {where[1]}{left_out}. {figure.description}"
            figures.append(figure)
        sized = [(s, s.size.parameters / 1e6) for s in rows if s.size.parameters]
        if sized:
            figures.append(_cost(sized, name, f"size{which}", "parameters, millions", "{:,.1f} M parameters"))
        counted = [(s, s.size.gflop) for s in rows if s.size.gflop]
        if counted:
            figures.append(_cost(counted, name, f"operations{which}", "GFLOP for one person", "{:,.3g} GFLOP"))
    return [figure for figure in figures if len(figure.marks) > 1]


def _people(standing: Standing) -> str:
    dataset = standing.suite.dataset_of(standing.row)
    return f"{dataset.name}, {standing.row.boxes} boxes"


def _cost(
    rows: Sequence[tuple[Standing, float]], name: str, against: str, label: str, form: str, *, faster: bool = False
) -> Plot:
    points = [point for standing, cost in rows if (point := _point(standing, cost, name))]
    plot = Plot(title=f"{name} against {against}", description="", x_label=label)
    if not points:
        return plot
    metric = points[0].standing.suite.metric_of(name)
    x = x_scale(min(point.cost for point in points), max(point.cost for point in points), log=True)
    y = y_scale(min(point.accuracy for point in points), max(point.accuracy for point in points))
    plot.y_label = f"{metric.label}{metric.suffix}"
    plot.x_ticks, plot.y_ticks = ticks(x), ticks(y)
    for point in points:
        row = point.standing.row
        value = numbers.measured(point.accuracy, metric) if point.measured else f"{point.accuracy:g} (published)"
        title = f"{row.label} ({row.id}): {name} {value}, {form.format(point.cost)}"
        plot.marks.append(Mark(x(point.cost), y(point.accuracy), "measured" if point.measured else "published", title))
    meanings = {"measured": "measured", "published": "published, not measured here"}
    plot.legend = [(its, meaning) for its, meaning in meanings.items() if any(mark.look == its for mark in plot.marks)]
    plot.legend.append(("front", "Pareto front"))
    sign = -1 if metric.better == "lower" else 1
    indices = pareto([(-point.cost if faster else point.cost, sign * point.accuracy) for point in points])
    front = sorted((points[index] for index in indices), key=lambda point: point.cost)
    places = [(x(point.cost), y(point.accuracy)) for point in front]
    plot.paths.append(Path(polyline(places), "front"))
    named = [(*place, point.standing.row.label) for place, point in zip(places, front, strict=True)]
    plot.texts += place_labels(named, [(mark.x, mark.y) for mark in plot.marks])
    names = ", ".join(shorten(point.standing.row.label, 40) for point in front)
    plot.description = f"{counted(len(points), 'row')}. On the Pareto front: {names}."
    return plot


def _point(standing: Standing, cost: float, name: str) -> _Point | None:
    """Return a row's point; uses the published value unless the value was measured on the published boxes."""
    cell = standing.cell(name)
    if cell.measured is not None and standing.verdict != "own boxes":
        return _Point(standing, cost, cell.measured, measured=True)
    return None if cell.standing is None else _Point(standing, cost, cell.standing, measured=False)


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of points (cost, value) that are optimal: no other point has more value at no more cost."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def difference_figures(standings: Sequence[Standing], name: str) -> list[Plot | Bars]:
    """Return measured minus published, over the published value and by row; empty if nothing was measured."""
    rows = [(s, cell) for s in standings if (cell := s.cell(name)).difference is not None]
    figures: list[Plot | Bars] = [_agreement(rows, name)] if len(rows) > 1 else []
    return [*figures, _by_row(rows, name)] if rows else []


def _agreement(rows: Sequence[tuple[Standing, Cell]], name: str) -> Plot:
    """Return the difference over the published value, with the band of rounding, which a diagonal would not show."""
    metric = rows[0][1].metric
    half, limit = _half(metric), _limit(rows, metric)
    values = [cell.held.claim.value for _, cell in rows if cell.held]
    x, y = x_scale(min(values), max(values)), y_scale(-limit, limit)
    plot = Plot(
        title=f"Published and measured {name}",
        description=f"{counted(len(rows), 'row')}. {_reproduced(rows)}",
        x_label=f"published {metric.label}",
        y_label="measured minus published",
        x_ticks=ticks(x),
        y_ticks=ticks(y),
        legend=[("rounding", f"rounds to the published value (±{half:g})")],
    )
    if metric.tolerance:
        plot.rectangles.append(_band(y, metric.tolerance, "tolerance"))
        plot.legend.append(("tolerance", f"within the suite's tolerance (±{metric.tolerance:g})"))
    plot.rectangles.append(_band(y, half, "rounding"))
    plot.paths.append(Path(polyline([(LEFT, y(0)), (WIDTH - RIGHT, y(0))]), "zero"))
    for s, cell in rows:
        assert cell.held is not None
        assert cell.difference is not None
        title = (
            f"{s.row.label} ({s.row.id}): {numbers.published(cell.held.claim.value, metric)} published, "
            f"{numbers.measured(cell.measured, metric)} measured, {s.verdict}"
        )
        place = x(cell.held.claim.value), y(max(-limit, min(limit, cell.difference)))
        shape = "dot" if abs(cell.difference) <= limit else "up" if cell.difference > 0 else "down"
        plot.marks.append(Mark(*place, look(cell.held.verdict), title, shape))  # type: ignore[arg-type]
    return plot


def _band(y: Scale, half: float, name: str) -> Rectangle:
    return Rectangle(LEFT, y(half), WIDTH - RIGHT - LEFT, round(y(-half) - y(half), 1), name)


def _by_row(rows: Sequence[tuple[Standing, Cell]], name: str) -> Bars:
    metric = rows[0][1].metric
    half, limit = _half(metric), _limit(rows, metric)
    x = Scale(-1.06 * limit, 1.06 * limit, 0, 100)
    bars = []
    for s, cell in rows:
        assert cell.held is not None
        assert cell.difference is not None
        start, end = sorted((x(0), x(cell.difference)))
        beyond = "" if abs(cell.difference) <= limit else "→ " if cell.difference > 0 else "← "
        text = beyond + numbers.difference(cell.difference, metric)
        title = f"{s.row.label}, {s.verdict}"
        bars.append(Bar(s.row.id, text, start, round(end - start, 1), look(cell.held.verdict), title))
    return Bars(
        title=f"Difference of {name} by row",
        description=f"Measured minus published. {_reproduced(rows)}",
        zero=x(0),
        bars=tuple(bars),
        ticks=tuple(ticks(x, 4)),
        band=(x(-half), x(half)),
        legend=(("rounding", f"rounds to the published value (±{half:g})"),),
    )


def _half(metric: Metric) -> float:
    """Return half of the last published digit."""
    return 0.5 * 10.0**-metric.decimals


def _limit(rows: Sequence[tuple[Standing, Cell]], metric: Metric) -> float:
    """Return the largest difference that is not clipped."""
    largest = max(abs(cell.difference) for _, cell in rows if cell.difference is not None)
    return min(CLIP * _half(metric), max(3 * _half(metric), metric.tolerance or 0, largest))


def _reproduced(rows: Sequence[tuple[Standing, Cell]]) -> str:
    counts = Counter(cell.held.verdict for _, cell in rows if cell.held)
    return f"{', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())}."


def look(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return f"v-{verdict.replace(' ', '-')}"
