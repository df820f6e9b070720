"""PoseTrack18's AP in the protocol."""

from typing import Literal

from harness.protocol import DataFile, PoseSelection


class PoseTrackScoring(PoseSelection):
    """Per-joint AP at PCKh 0.5, as MMPose's PoseTrack18Metric computes it with poseval."""

    metric: Literal["posetrack-ap"] = "posetrack-ap"
    sequences: DataFile
    """The folder with the ground truth of each video; its sha256 is over the names and contents of its *.json files."""
