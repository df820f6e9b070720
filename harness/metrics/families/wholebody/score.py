"""Whole-body AP and AR, as MMPose's CocoWholeBodyMetric computes them with xtcocotools.

Source: mmpose/evaluation/metrics/coco_wholebody_metric.py; Jin et al., Whole-Body Human Pose Estimation in the Wild
(ECCV 2020). Rescoring and NMS use all 133 keypoints. Then each part, and the whole, has a separate COCO evaluation, in
which

- a person's area is that of the whole person, and a pose's score is that of the whole pose;
- a person without a labelled keypoint of the part is ignored, and PART_valid is not read;
- a pose without a keypoint of the part with a score above 0 is not evaluated;
- the area of a pose decides whether an unmatched pose counts as wrong among medium or large people. It is the extent of
  the 17 body keypoints with any score, which xtcocotools uses because MMPose's results have no box.

The authors' tables have the mean of left and right for hands (github.com/jin-s13/COCO-WholeBody, issue 38).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Float64, Int64
from harness.datasets.wholebody_file import BODY, FIELDS, NUM_KEYPOINTS
from harness.metrics.detections import Detections
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.oks.average_precision import Matches
from harness.metrics.families.oks.score import OksMatched, match_detections
from harness.metrics.families.wholebody.family import OF_WHOLE, PARTS
from harness.metrics.families.wholebody.scoring import WholeBodyScoring
from harness.metrics.family import Labels, Metrics
from harness.metrics.select_poses import check_num_keypoints, select_detections
from harness.metrics.truth import Truth
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws

_ENDS: list[int] = np.cumsum([0, *FIELDS.values()]).tolist()
COLUMNS: Mapping[str, slice] = {
    "body": slice(_ENDS[0], _ENDS[1]),
    "foot": slice(_ENDS[1], _ENDS[2]),
    "face": slice(_ENDS[2], _ENDS[3]),
    "lefthand": slice(_ENDS[3], _ENDS[4]),
    "righthand": slice(_ENDS[4], _ENDS[5]),
    "whole": slice(0, NUM_KEYPOINTS),
}
"""The keypoints of each part, in the order in which MMPose evaluates them."""


@dataclass(frozen=True)
class WholeBodyMatched:
    """Poses after rescoring and NMS, matched with people by each part."""

    parts: Mapping[str, OksMatched]
    """By name, as in COLUMNS."""

    @property
    def image_ids(self) -> Int64:
        """All images of the ground truth."""
        return self.parts["whole"].image_ids

    @property
    def matches(self) -> Matches:
        """The matches of poses with people by all keypoints."""
        return self.parts["whole"].matches

    @cached_property
    def by_part(self) -> dict[str, Metrics]:
        """COCO's ten stats of each part, fractions of 1; None where there are no people to find."""
        return {part: matched.stats() for part, matched in self.parts.items()}

    def stats(self) -> Metrics:
        """Return AP and AR of each part, and all stats of the whole, fractions of 1; None without people to find."""
        return wholebody_stats(self.by_part)

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.families.wholebody.resample import resample_wholebody  # numba

        return resample_wholebody(self, draws)

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.wholebody.diagnosis import diagnose_wholebody

        return diagnose_wholebody(self, labels)


def wholebody_stats(parts: Mapping[str, Metrics]) -> Metrics:
    """Return the stats from COCO's stats of each part; the stats of hands are the mean of left and right."""
    stats: Metrics = {}
    for part in PARTS:
        for mean in ("AP", "AR"):
            if part == "hand":
                left, right = parts["lefthand"][mean], parts["righthand"][mean]
                stats[f"{mean}(hand)"] = None if left is None or right is None else (left + right) / 2
            else:
                stats[f"{mean}({part})"] = parts[part][mean]
    return stats | {name: parts["whole"][stat] for stat, name in OF_WHOLE.items()}


def match_wholebody(predictions: Predictions, scoring: WholeBodyScoring, truth: Truth) -> WholeBodyMatched:
    """Rescore predictions, suppress duplicates, and match them by each part.

    Raises:
        RunError: Predictions are not finite, have another number of keypoints, or are in images that the ground truth
            lacks.
    """
    return match_parts(replace(select_detections(predictions, scoring), boxes=None), scoring, truth)


def match_parts(
    detections: Detections, scoring: WholeBodyScoring, truth: Truth, scores: Mapping[str, Float64] | None = None
) -> WholeBodyMatched:
    """Match poses to people by each part; raises the errors of `match_wholebody`.

    Args:
        detections: The poses; if they have boxes, these give their areas.
        scoring: The rules of scoring.
        truth: The ground truth.
        scores: [N] by part, for parts whose scores differ from the pose's.
    """
    check_num_keypoints("predictions", detections.keypoints.shape[1], scoring)
    boxes = body_boxes(detections.keypoints) if detections.boxes is None else detections.boxes
    parts = {}
    for part, columns in COLUMNS.items():
        poses = replace(
            detections,
            keypoints=detections.keypoints[:, columns],
            boxes=boxes,
            scores=(scores or {}).get(part, detections.scores),
        )
        settings = scoring.model_dump(exclude={"metric", "sigmas"})
        rules = OksScoring(sigmas=scoring.sigmas[columns], **settings)
        parts[part] = match_detections(poses, rules, replace(truth, keypoints=truth.keypoints[:, columns]))
    return WholeBodyMatched(parts)


def body_boxes(keypoints: Float64) -> Float64:
    """Return the extents of the body's keypoints, [N, 4] x, y, width, height; keypoints are [N, 133, 3]."""
    points = keypoints[:, :BODY, :2]
    if not len(points):
        return np.empty((0, 4))
    low, high = points.min(axis=1), points.max(axis=1)
    return np.concatenate([low, high - low], axis=1)
