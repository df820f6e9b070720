"""NME in the protocol."""

from typing import Literal

from harness.protocol import Scoring


class NmeScoring(Scoring):
    """NME, as MMPose's NME computes it."""

    metric: Literal["nme"] = "nme"
    norm: Literal["bbox_size", "keypoint_distance"]
    """The divisor of a person's errors: the longer side of the box before padding, or the distance between two labelled
    keypoints, such as the outer eye corners."""
    keypoint_indices: tuple[int, int] | None = None
    """These two keypoints; None for `bbox_size`."""
    mean: Literal["keypoints", "people"] = "keypoints"
    """The mean over all keypoints, as in MMPose; or the mean of each person's mean, as in many papers on faces."""
