"""Numbers as pages print them: a real minus sign, a dash where there is none, one decimal more than was published."""

from harness.suites.schema import Metric

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def fixed(value: float | None, decimals: int) -> str:
    """Print with so many decimals."""
    return NONE if value is None else with_minus(f"{value:.{decimals}f}")


def signed(value: float | None, decimals: int) -> str:
    """Print with so many decimals and a sign; what rounds to nothing has none."""
    if value is None:
        return NONE
    text = f"{value:+.{decimals}f}"
    return text[1:] if not float(text) else with_minus(text)


def count(value: float | None) -> str:
    """Print a whole number with its thousands set apart."""
    return NONE if value is None else with_minus(f"{value:,.0f}")


def significant(value: float | None, digits: int = 3) -> str:
    """Print with so many significant digits."""
    if value is None:
        return NONE
    return count(value) if abs(value) >= 10**digits else with_minus(f"{value:.{digits}g}")


def size(parameters: float | None) -> str:
    """Print a number of parameters in millions."""
    return NONE if parameters is None else f"{parameters / 1e6:.1f} M"


def in_unit(value: float | None, metric: Metric) -> float | None:
    """Turn a measured value into the unit that the metric is published in."""
    return None if value is None else value * metric.scale


def measured(value: float | None, metric: Metric) -> str:
    """Print a measured value, in the metric's unit, with one decimal more than was published."""
    return fixed(value, metric.decimals + 1)


def published(value: float | None, metric: Metric) -> str:
    """Print a published value as it was published."""
    return fixed(value, metric.decimals)


def difference(value: float | None, metric: Metric) -> str:
    """Print measured minus published, in the metric's unit."""
    return signed(value, metric.decimals + 1)


def interval(bounds: tuple[float, float] | None, metric: Metric) -> str:
    """Print a confidence interval, in the metric's unit, to the digits that were published."""
    return NONE if bounds is None else f"{published(bounds[0], metric)} {NONE} {published(bounds[1], metric)}"


def with_minus(text: str) -> str:
    """Put a real minus sign for a hyphen."""
    return text.replace("-", MINUS)
