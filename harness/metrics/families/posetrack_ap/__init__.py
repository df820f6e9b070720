"""AP of each joint: PoseTrack18."""

from harness.metrics.families.posetrack_ap.family import PLUGIN
from harness.metrics.families.posetrack_ap.scoring import PoseTrackScoring

__all__ = ["PLUGIN", "PoseTrackScoring"]
