"""Figures that a family of metrics adds to a row's page: what is drawn, not how."""

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
    """What each of several changes would gain or lose by itself."""

    title: str
    description: str
    gains: Sequence[tuple[str, float]]
    """Each change and what it gains."""
    decimals: int = 3


Chart = CurveChart | GainChart
