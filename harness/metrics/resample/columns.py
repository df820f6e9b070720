"""Stats of many resamples as one array per stat."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.metrics.resample.draws import Draws


def columns(stats: Sequence[Mapping[str, float | None]]) -> dict[str, Float64]:
    """Return the values of each stat, [R]; NaN for None and for COCO's -1."""
    columns = {name: np.array([one[name] for one in stats], np.float64) for name in stats[0]}
    return {name: np.where(values == -1, np.nan, values) for name, values in columns.items()}


def sums(joints: Bool | Int64, image_ids: Int64, draws: Draws) -> Int64:
    """Return the sums of flags or counts of N people's joints, [N, C, K], in every resample, [R, C, K]."""
    of_unit = np.zeros((draws.counts.shape[1], *joints.shape[1:]))
    np.add.at(of_unit, draws.units_of(image_ids), joints)
    return np.tensordot(draws.counts.astype(np.float64), of_unit, axes=1).astype(np.int64)
