"""PCKh in the protocol."""

from typing import Literal

from harness.protocol import DataFile, Scoring


class PckhScoring(Scoring):
    """PCKh, as MMPose's MpiiPCKAccuracy computes it."""

    metric: Literal["pckh"] = "pckh"
    headboxes: DataFile
