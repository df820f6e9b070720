"""Figures that a family of metrics adds to a row's page: their data, not their drawing."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CurveChart:
    """Lines over a common axis from 0 to 1."""

    title: str
    description: str
    x_label: str
    y_label: str
    lines: Sequence[tuple[str, Sequence[float]]]
    """Each line's name and its values, from 0 to 1, at equal distances along the axis."""


@dataclass(frozen=True)
class GainChart:
    """The gain or loss of each of several changes by itself."""

    title: str
    description: str
    gains: Sequence[tuple[str, float]]
    """The name of each change, and its gain."""
    decimals: int = 3


Chart = CurveChart | GainChart
