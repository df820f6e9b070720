"""Formats numbers for pages: with a real minus sign, a dash for None, one decimal more than published."""

from harness.suites.schema import Metric

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def fixed(value: float | None, decimals: int) -> str:
    """Return a number with this many decimals."""
    return NONE if value is None else with_minus(f"{value:.{decimals}f}")


def signed(value: float | None, decimals: int) -> str:
    """Return a number with this many decimals and a sign; a number that rounds to zero has no sign."""
    if value is None:
        return NONE
    text = f"{value:+.{decimals}f}"
    return text[1:] if not float(text) else with_minus(text)


def count(value: float | None) -> str:
    """Return a whole number with thousands separators."""
    return NONE if value is None else with_minus(f"{value:,.0f}")


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with this many significant digits."""
    if value is None:
        return NONE
    return count(value) if abs(value) >= 10**digits else with_minus(f"{value:.{digits}g}")


def size(parameters: float | None) -> str:
    """Return a number of parameters in millions."""
    return NONE if parameters is None else f"{parameters / 1e6:.1f} M"


def in_unit(value: float | None, metric: Metric) -> float | None:
    """Convert a measured value to the unit in which the metric is published."""
    return None if value is None else value * metric.scale


def measured(value: float | None, metric: Metric) -> str:
    """Return a measured value, in the metric's unit, with one decimal more than published."""
    return fixed(value, metric.decimals + 1)


def published(value: float | None, metric: Metric) -> str:
    """Return a published value with the published decimals."""
    return fixed(value, metric.decimals)


def difference(value: float | None, metric: Metric) -> str:
    """Return measured minus published, in the metric's unit."""
    return signed(value, metric.decimals + 1)


def interval(bounds: tuple[float, float] | None, metric: Metric) -> str:
    """Return a confidence interval, in the metric's unit, with the published decimals."""
    return NONE if bounds is None else f"{published(bounds[0], metric)} {NONE} {published(bounds[1], metric)}"


def with_minus(text: str) -> str:
    """Replace hyphens by real minus signs."""
    return text.replace("-", MINUS)
