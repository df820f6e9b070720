"""OKS-based AP and AR: COCO, CrowdPose, AIC, Human-Art."""

from harness.metrics.families.oks.family import PLUGIN
from harness.metrics.families.oks.scoring import OksScoring

__all__ = ["PLUGIN", "OksScoring"]
