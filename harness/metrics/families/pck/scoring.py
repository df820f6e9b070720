"""PCK, AUC and EPE in the protocol."""

from typing import Literal

from harness.protocol import DataFile, Scoring

Norm = Literal["bbox", "head", "torso"]


class PckScoring(Scoring):
    """PCK, AUC and EPE, as MMPose's PCKAccuracy, AUC and EPE compute them, in any combination."""

    metric: Literal["pck"] = "pck"
    threshold: float | None = None
    """PCK: a keypoint is found if its distance is below this many norms; None without PCK."""
    norms: tuple[Norm, ...] = ()
    """PCK: the norms of distances: the longer side of the person's box, the head size, the torso length."""
    headboxes: DataFile | None = None
    """MPII's head boxes, if `norms` has the head."""
    auc_norm: float | None = None
    """AUC: the norm of distances, px; None without AUC."""
    auc_thresholds: int | None = None
    """AUC: the number of thresholds, in equal steps from 0 to below 1."""
    epe: bool = False
    """Whether EPE, the mean distance, is computed."""
