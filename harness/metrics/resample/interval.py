"""Statistics of resampled metrics: intervals, and p-values of differences between two runs."""

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
    """Two-sided, for the hypothesis of no difference."""


def interval(values: Float64, level: float = LEVEL) -> tuple[float, float] | None:
    """Return the percentile interval of a resampled metric.

    The ends are percentiles of the resamples. Such an interval stays within [0, 1] and is as skewed as the metric,
    unlike intervals from mean and standard deviation or from mirrored percentiles; the accelerated bootstrap (BCa)
    needs another pass over every unit. The tests simulate how often the interval covers the true value.

    Args:
        values: [R] NaN where the metric is undefined in a resample.
        level: The wanted probability that the interval covers the true value.

    Returns:
        Its ends; None if the share of undefined resamples is above 1 - level.
    """
    defined = values[~np.isnan(values)]
    if not len(defined) or len(defined) < level * len(values):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(new: Float64, baseline: Float64) -> Difference | None:
    """Return the difference of two runs whose metric was resampled by the same draws.

    The p-value is twice the share of resamples in which the difference is on the other side of 0, or 0. One is added to
    their number and to R, since R resamples cannot show a probability below 1 / (R + 1) (Davison and Hinkley, Bootstrap
    Methods and their Application, 1997, section 4.2). It is below 0.05 if the interval excludes 0.

    Args:
        new: [R] NaN where undefined.
        baseline: [R]

    Returns:
        None if the metric is undefined in too many resamples; the p-value is 1 if the runs never differ.
    """
    differences = new - baseline
    ends = interval(differences)
    if ends is None:
        return None
    defined = differences[~np.isnan(differences)]
    beyond = min((defined <= 0).sum(), (defined >= 0).sum())
    return Difference(*ends, p_value=min(1.0, 2 * float(beyond + 1) / (len(defined) + 1)))
