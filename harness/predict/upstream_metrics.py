"""What MMPose's evaluators state, under our names."""

import math
from collections.abc import Mapping

from harness.plugins import plugin
from harness.protocol import Scoring


def our_names(values: Mapping[str, float], scoring: Scoring) -> dict[str, float | None]:
    """Return upstream's metrics under our names and in our units; None where upstream has -1 or NaN: undefined.

    Args:
        values: What mmengine's Runner returns: `<prefix>/<name>` and value.
        scoring: How upstream scored.
    """
    family = plugin("metrics", scoring.metric, "scoring.metric")
    stated = {family.our_name(key.rpartition("/")[2], scoring): float(value) for key, value in values.items()}
    unit = family.upstream_unit
    return {name: None if value == -1 or math.isnan(value) else value * unit for name, value in stated.items()}
