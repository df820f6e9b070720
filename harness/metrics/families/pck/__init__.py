"""PCK, AUC and EPE: hands, animals, fashion."""

from harness.metrics.families.pck.family import PLUGIN
from harness.metrics.families.pck.scoring import PckScoring

__all__ = ["PLUGIN", "PckScoring"]
