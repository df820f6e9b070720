"""OKS-based AP in the protocol."""

from typing import Literal

from harness.protocol import PoseSelection


class OksScoring(PoseSelection):
    """OKS-based AP and AR, as MMPose's CocoMetric computes them."""

    metric: Literal["oks"] = "oks"
    area: Literal["annotation", "box"]
    """Object scale: the annotation's area, or 0.53 times its box (data sets without areas)."""
    crowd: bool = False
    """CrowdPose's nine stats, by crowd index, in place of COCO's ten."""
