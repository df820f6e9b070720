"""PCK by person size and by torso size: JHMDB."""

from harness.metrics.families.jhmdb_pck.family import PLUGIN
from harness.metrics.families.jhmdb_pck.scoring import JhmdbScoring

__all__ = ["PLUGIN", "JhmdbScoring"]
