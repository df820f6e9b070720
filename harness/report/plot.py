"""Drawings as values, which `templates/figures.html` renders as SVG in the page's colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.report.numbers import with_minus

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 12, 48
_CHARACTER = 8.0
"""Mean width of a label's character, px, in the largest font of the style sheet."""


@dataclass(frozen=True)
class Scale:
    """Maps values to px along an axis."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value in px; values outside of the axis are put at its end."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)


@dataclass(frozen=True)
class Mark:
    """A point."""

    x: float
    y: float
    look: str
    """CSS class."""
    title: str
    shape: Literal["dot", "up", "down"] = "dot"
    """Arrows mark points beyond the axis."""


@dataclass(frozen=True)
class Path:
    """A line through points."""

    points: str
    look: str


@dataclass(frozen=True)
class Shape:
    """Lines of one width, as the data of an SVG path."""

    data: str
    look: str
    stroke: float
    """Their width, px."""


@dataclass(frozen=True)
class Rectangle:
    """A band."""

    x: float
    y: float
    width: float
    height: float
    look: str


@dataclass(frozen=True)
class Text:
    """A label, centred at its place."""

    x: float
    y: float
    text: str


@dataclass
class Plot:
    """A drawing with two axes."""

    title: str
    description: str
    """A description in words, also for readers who cannot see the drawing."""
    speaks: bool = False
    """Whether the drawing contains the description as text, so that the page only gives it to screen readers."""
    x_label: str = ""
    y_label: str = ""
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    rectangles: list[Rectangle] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    """CSS class and meaning."""


@dataclass(frozen=True)
class Bar:
    """One value, from zero."""

    label: str
    value: str
    """Printed."""
    start: float
    """Percent of the axis, like the width."""
    width: float
    look: str
    title: str


@dataclass(frozen=True)
class Bars:
    """A chart of horizontal bars in a table, which fits on any screen and can be read by a screen reader."""

    title: str
    description: str
    zero: float
    """Percent of the axis, like the ends of the band."""
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    band: tuple[float, float] | None = None
    legend: tuple[tuple[str, str], ...] = ()
    """CSS class and meaning."""


def x_scale(low: float, high: float, log: bool = False) -> Scale:
    """Return the horizontal scale of a plot of the usual size."""
    return Scale(*_wider(low, high, log), LEFT, WIDTH - RIGHT, log)


def y_scale(low: float, high: float) -> Scale:
    """Return the vertical scale of a plot of the usual size."""
    return Scale(*_wider(low, high, False), HEIGHT - BOTTOM, TOP)


def _wider(low: float, high: float, log: bool) -> tuple[float, float]:
    if log:
        return low / 1.25, high * 1.25
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return low - margin, high + margin


def ticks(scale: Scale, wanted: int = 6) -> list[tuple[float, str]]:
    """Return round values within a scale as (value, label)."""
    if scale.log and scale.high / scale.low > 10:  # for smaller ranges, equal steps give rounder values
        values = [
            base * 10.0**power
            for power in range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
            for base in ((1, 2, 5) if scale.high / scale.low < 200 else (1,))
        ]
        return [(scale(value), f"{value:,.6g}") for value in values if scale.low <= value <= scale.high]
    raw = (scale.high - scale.low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(base * power for base in (1, 2, 2.5, 5, 10) if base * power >= raw)
    decimals = max(0, -math.floor(math.log10(step)) + (1 if step / power == 2.5 else 0))
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    values = [index * step for index in range(first, last + 1)]
    return [(scale(value), with_minus(f"{value:.{decimals}f}")) for value in values]


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """Return points in SVG's format."""
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def place_labels(points: Sequence[tuple[float, float, str]], taken: Sequence[tuple[float, float]]) -> list[Text]:
    """Put a label next to each point where it covers neither a label nor a mark; leave out labels without space.

    Args:
        points: Place and text of each label.
        taken: Places of all marks.
    """
    boxes = [(x - 4, y - 4, x + 4, y + 4) for x, y in taken]
    placed = []
    for x, y, text in points:
        text = shorten(text, 22)
        width = _CHARACTER * len(text)
        beside = ((x + 9, y + 4), (x - 9 - width, y + 4), (x - width / 2, y - 9), (x - width / 2, y + 17))
        for left, baseline in beside:
            box = (left, baseline - 11, left + width, baseline + 3)
            if box[0] < LEFT or box[2] > WIDTH or any(_overlap(box, other) for other in boxes):
                continue
            boxes.append(box)
            # Anchored at its middle, a label in another font covers about the same place.
            placed.append(Text(round(left + width / 2, 1), round(baseline, 1), text))
            break
    return placed


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def shorten(text: str, length: int) -> str:
    """Return a text shortened to at most `length` characters, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
