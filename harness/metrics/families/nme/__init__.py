"""NME, the normalised mean error of keypoints: faces."""

from harness.metrics.families.nme.family import PLUGIN
from harness.metrics.families.nme.scoring import NmeScoring

__all__ = ["PLUGIN", "NmeScoring"]
