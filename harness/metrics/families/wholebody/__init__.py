"""OKS-based AP and AR of body, feet, face, hands and the whole person: COCO-WholeBody, UBody."""

from harness.metrics.families.wholebody.family import PLUGIN
from harness.metrics.families.wholebody.scoring import WholeBodyScoring

__all__ = ["PLUGIN", "WholeBodyScoring"]
