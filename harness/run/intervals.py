"""Confidence intervals of a run's metrics, for its record."""

from pathlib import Path
from typing import Literal

from harness.metrics.family import Matched
from harness.metrics.resample import draw, interval, resampled_metrics
from harness.protocol import Protocol
from harness.record import Resampling

FEWEST = 20
"""Smallest number of images or videos; with fewer, the intervals would be too narrow."""


def measure_intervals(
    matched: Matched, protocol: Protocol, data: Path
) -> tuple[dict[str, tuple[float, float]], Resampling | None]:
    """Return the confidence intervals of all metrics as (low, high) by metric, and the method of resampling.

    Raises:
        ObtainError: The annotations are missing or malformed.
        RunError: There are no people to score.
    """
    if len(matched.image_ids) < FEWEST:
        return {}, None
    draws = draw(matched, protocol, data)
    resamples, units = draws.counts.shape
    if units < FEWEST:
        return {}, None
    found = {name: interval(values) for name, values in resampled_metrics(matched, draws).items()}
    unit: Literal["images", "videos"] = "images" if draws.unit == "image" else "videos"
    resampling = Resampling(unit=unit, units=units, resamples=resamples, seed=draws.seed)
    return {name: ends for name, ends in found.items() if ends}, resampling
