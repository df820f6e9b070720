"""Whole-body AP in the protocol."""

from typing import Literal

from harness.metrics.oks_family import AreaSelection


class WholeBodyScoring(AreaSelection):
    """OKS-based AP and AR by part, as MMPose's CocoWholeBodyMetric computes them.

    The object scale of all parts is that of the person.
    """

    metric: Literal["wholebody"] = "wholebody"
