"""Whole-body AP in the protocol."""

from typing import Literal

from harness.protocol import PoseSelection


class WholeBodyScoring(PoseSelection):
    """OKS-based AP and AR by part, as MMPose's CocoWholeBodyMetric computes them."""

    metric: Literal["wholebody"] = "wholebody"
    area: Literal["annotation", "box"]
    """Object scale of all parts: the person's area, or 0.53 times the person's box."""
