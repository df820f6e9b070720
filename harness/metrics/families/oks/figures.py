"""Figures of OKS-based AP: AP of one keypoint alone, AP with errors corrected, and precision over recall."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.arrays import Bool, Float64, Indices
from harness.metrics.detections import Detections
from harness.metrics.diagnosis.findings import Findings
from harness.metrics.diagnosis.kinds import KINDS, UNLABELLED
from harness.metrics.diagnosis.model import Correction, Curve, ErrorKind
from harness.metrics.families.oks.average_precision import OKS_THRESHOLDS, SIZES, Matches, accumulate, coco_stats

ERRORS: tuple[ErrorKind, ...] = ("jitter", "inversion", "swap", "miss")
CURVE_THRESHOLDS = (0, 5, 8)
"""Indices of 0.5, 0.75 and 0.9 among the OKS thresholds."""


def average_precision(matches: Matches) -> float:
    """Return AP, as in COCO's and CrowdPose's stats; there must be people to find."""
    return coco_stats(accumulate(matches))["AP"]


def category_ap(matches: Matches) -> dict[int, float]:
    """Return AP of each category with people to find, by its index among the ground truth's categories."""
    precision = accumulate(matches).precision[..., 0]
    return {
        place: float(precision[..., place].mean())
        for place in range(matches.categories)
        if (precision[..., place] >= 0).all()
    }


def keypoint_ap(matches: Matches, findings: Findings, pose_of: Indices, ignored: Bool) -> list[float | None]:
    """Return AP of each keypoint alone, [K], as `Keypoint.ap` defines it; None for a keypoint without labels.

    Args:
        matches: The matches of D poses with M people.
        findings: The findings about the same people.
        pose_of: [M] index of each person's pose; -1 for people without a pose.
        ignored: [D] poses on crowds or on people without keypoints; they count only if they are paired.
    """
    owners = np.flatnonzero(pose_of >= 0)
    ks = np.full((len(matches.scores), findings.ks.shape[1]), -1.0)
    ks[pose_of[owners]] = findings.ks[owners]
    neutral = ignored.copy()
    neutral[pose_of[owners]] = False
    shape = (len(SIZES), len(OKS_THRESHOLDS), len(ks))
    values: list[float | None] = []
    for keypoint in range(ks.shape[1]):
        to_find = findings.kinds[matches.people, keypoint] != UNLABELLED
        person_ignored = np.ones((len(SIZES), len(to_find)), bool)
        person_ignored[0] = ~to_find
        alone = replace(
            matches,
            matched=np.broadcast_to(ks[:, keypoint] >= OKS_THRESHOLDS[:, None], shape),
            ignored=np.broadcast_to(neutral | np.isnan(ks[:, keypoint]), shape),
            person_ignored=person_ignored,
        )
        values.append(average_precision(alone) if to_find.any() else None)
    return values


def corrections(
    poses: Detections, findings: Findings, pose_of: Indices, best: Float64, background: Bool
) -> Iterator[tuple[Correction, Detections]]:
    """Yield the D poses with all errors of one kind corrected, as `OksFigures.corrected_ap` defines it.

    Args:
        poses: The evaluated poses.
        findings: The findings about M people.
        pose_of: [M] index of each person's pose; -1 for people without a pose.
        best: [D] highest OKS with a person to find.
        background: [D] which poses are on the background.
    """
    for error in ERRORS:
        people, columns = np.nonzero(findings.kinds == KINDS.index(error))
        keypoints = poses.keypoints.copy()
        keypoints[pose_of[people], columns, :2] = findings.people.keypoints[people, columns]
        yield error, replace(poses, keypoints=keypoints)
    yield "scores", replace(poses, scores=best)
    yield "background", poses.take(~background)


def curves(matches: Matches) -> tuple[Curve, ...]:
    """Return precision over recall for people of all sizes, the mean over the categories with people to find."""
    precision = accumulate(matches).precision[..., 0]
    precision = precision[..., (precision >= 0).all(axis=(0, 1))].mean(axis=-1)
    return tuple(
        Curve(threshold=round(float(OKS_THRESHOLDS[index]), 2), precision=precision[index].tolist())
        for index in CURVE_THRESHOLDS
    )
