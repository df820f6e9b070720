"""Integral regression: the head computes coordinates as expected positions over heatmaps.

The coordinates are decoded as in regression: same flip test, scores and units. The heatmaps are not used.
Source: mmpose/codecs/integral_regression_label.py; heads/regression_heads/integral_regression_head.py (Sun et al., ECCV
2018; Nibali et al., Numerical Coordinate Regression, 2018).
"""

from __future__ import annotations  # torch is imported where coordinates are decoded, not where configs are read

from typing import TYPE_CHECKING, Any

from harness.codecs.regression import Regression

if TYPE_CHECKING:
    from torch import Tensor


class Integral(Regression):
    """MMPose's IntegralRegressionLabel."""

    name = "integral"
    type = "IntegralRegressionLabel"
    peak = 20.0  # the softmax of a peak lower than ln(64 * 64) spreads over the whole map
    spread = None
    constants = ("linspace_x", "linspace_y")
    settings = None  # decodes at the speed of regression, so bench does not measure it

    def joined(self, given: Any) -> Tensor:
        """Return the coordinates from the head's outputs (coordinates, heatmaps)."""
        coordinates: Tensor = given[0]
        return coordinates


PLUGIN = Integral()
