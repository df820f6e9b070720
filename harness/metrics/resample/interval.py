"""What resampled metrics say: an interval, and how sure a difference between two runs is."""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Float64

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The difference of a metric between two runs, a fraction: the first minus the second."""

    low: float
    high: float
    """The ends of the 95 % interval."""
    p_value: float
    """Two-sided, of there being no difference."""


def interval(values: Float64, level: float = LEVEL) -> tuple[float, float] | None:
    """Return the percentile interval of a resampled metric.

    The percentiles of the resamples themselves: such an interval stays within [0, 1] and is as skewed as the metric is,
    which intervals of the mean and standard deviation and of mirrored percentiles do not; the accelerated kind (BCa)
    asks for another pass over every unit. How often it covers the true value is simulated in the tests.

    Args:
        values: [R] NaN where the metric is undefined in a resample.
        level: How often the interval is to cover the true value.

    Returns:
        Its ends; None where more resamples are undefined than an interval leaves out.
    """
    defined = values[~np.isnan(values)]
    if not len(defined) or len(defined) < level * len(values):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(new: Float64, baseline: Float64) -> Difference | None:
    """Compare two runs whose metric was resampled by the same draws.

    The p-value is twice the share of resamples in which the difference is on the other side of 0, or at 0; one resample
    more is counted there, since a share of R resamples cannot show less than 1 in R + 1 (Davison and Hinkley,
    Bootstrap Methods and their Application, 1997, section 4.2). It falls below 0.05 where the interval leaves out 0.

    Args:
        new: [R] NaN where undefined.
        baseline: [R]

    Returns:
        None where the metric is undefined in too many resamples; a p-value of 1 where the runs never differ.
    """
    differences = new - baseline
    ends = interval(differences)
    if ends is None:
        return None
    defined = differences[~np.isnan(differences)]
    beyond = min((defined <= 0).sum(), (defined >= 0).sum())
    return Difference(*ends, p_value=min(1.0, 2 * float(beyond + 1) / (len(defined) + 1)))
