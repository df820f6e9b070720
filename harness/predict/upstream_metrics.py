"""Converts the metrics of MMPose's evaluators to our names."""

import math
from collections.abc import Mapping

from harness.plugins import plugin
from harness.protocol import Scoring


def our_names(values: Mapping[str, float], scoring: Scoring) -> dict[str, float | None]:
    """Return upstream's metrics under our names and in our units; None if upstream has -1 or NaN, i.e. undefined.

    Args:
        values: The result of mmengine's Runner: values by `<prefix>/<name>`.
        scoring: The settings of upstream's scoring.
    """
    family = plugin("metrics", scoring.metric, "scoring.metric")
    stated = {family.our_name(key.rpartition("/")[2], scoring): float(value) for key, value in values.items()}
    unit = family.upstream_unit
    return {name: None if value == -1 or math.isnan(value) else value * unit for name, value in stated.items()}
