"""OKS-based AP in the protocol."""

from typing import Literal

from harness.metrics.oks_family import AreaSelection


class OksScoring(AreaSelection):
    """OKS-based AP and AR, as MMPose's CocoMetric computes them."""

    metric: Literal["oks"] = "oks"
    crowd: bool = False
    """CrowdPose's nine stats, by crowd index, in place of COCO's ten."""
