"""JHMDB's PCK in the protocol."""

from typing import Literal

from harness.protocol import Scoring


class JhmdbScoring(Scoring):
    """PCK by person size and by torso size, as MMPose's JhmdbPCKAccuracy computes them."""

    metric: Literal["jhmdb-pck"] = "jhmdb-pck"
    threshold: float
