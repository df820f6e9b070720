"""Integral regression: the head takes the mean place of heatmaps, which are not decoded: coordinates are.

Flips, scores and shares of the input are those of regression.
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
    peak = 20.0  # the softmax of a lower one than ln(64 * 64) spreads over the whole map
    spread = None
    constants = ("linspace_x", "linspace_y")
    settings = None  # as fast as regression

    def joined(self, given: Any) -> Tensor:
        """Return the coordinates that the head gives beside its heatmaps."""
        coordinates: Tensor = given[0]
        return coordinates


PLUGIN = Integral()
