"""PCK, AUC and EPE in the protocol."""

from typing import Literal

from harness.protocol import DataFile, Scoring

Norm = Literal["bbox", "head", "torso"]


class PckScoring(Scoring):
    """Any of PCK, AUC and EPE, as MMPose's PCKAccuracy, AUC and EPE compute them; each is there once or not at all."""

    metric: Literal["pck"] = "pck"
    threshold: float | None = None
    """PCK: a keypoint is found when it is nearer than this many norms; None without PCK."""
    norms: tuple[Norm, ...] = ()
    """PCK: what distances are measured by: the longer side of the person's box, the head's size, the torso's length."""
    headboxes: DataFile | None = None
    """MPII's head boxes, where `norms` has the head."""
    auc_norm: float | None = None
    """AUC: px that its thresholds are parts of; None without AUC."""
    auc_thresholds: int | None = None
    """AUC: how many thresholds there are, from 0 up in equal steps, below 1."""
    epe: bool = False
    """Whether the mean distance is measured."""
