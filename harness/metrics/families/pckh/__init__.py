"""PCKh: MPII."""

from harness.metrics.families.pckh.family import PLUGIN
from harness.metrics.families.pckh.scoring import PckhScoring

__all__ = ["PLUGIN", "PckhScoring"]
