"""OKS-based AP and AR of predictions, as MMPose's CocoMetric computes them, without MMPose."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Float64, Int64
from harness.errors import RunError, counted
from harness.metrics.detections import Detections
from harness.metrics.families.oks.average_precision import (
    Matches,
    accumulate,
    coco_stats,
    crowd_grades,
    crowdpose_stats,
    match,
)
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Labels, Metrics
from harness.metrics.select_poses import check_finite, check_num_keypoints, select_detections
from harness.metrics.truth import Truth
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws


@dataclass(frozen=True)
class OksMatched:
    """Poses after rescoring and NMS, matched with people."""

    detections: Detections
    matches: Matches
    scoring: OksScoring
    truth: Truth

    @cached_property
    def image_ids(self) -> Int64:
        """All images of the ground truth."""
        return np.unique(self.truth.image_ids)

    def stats(self) -> Metrics:
        """Return COCO's ten stats, or CrowdPose's nine, as fractions of 1, in the order of MMPose's output."""
        whole = accumulate(self.matches)
        if self.scoring.crowd:
            by_grade = [accumulate(self.matches, images) for images in crowd_grades(self.matches, self.truth)]
            stats = crowdpose_stats(whole, by_grade)
        else:
            stats = coco_stats(whole)
        return {name: None if value == -1 else value for name, value in stats.items()}

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.families.oks.resample import resample_oks  # numba

        return resample_oks(self, draws)

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.oks.diagnosis import diagnose_oks

        return diagnose_oks(self, labels)


def match_oks(
    predictions: Predictions, scoring: OksScoring, truth: Truth, categories: Int64 | None = None
) -> OksMatched:
    """Rescore predictions, suppress duplicates, and match them.

    Args:
        predictions: Predictions of N people.
        scoring: The rules of scoring.
        truth: The ground truth.
        categories: [N] the predictions' categories, if the ground truth has several; by default those of the
            annotations of their boxes.

    Raises:
        RunError: Predictions are not finite, have another number of keypoints, or are in images that the ground truth
            lacks.
    """
    if categories is None:
        categories = truth.categories_of(predictions.person_ids)
    return match_detections(select_detections(predictions, scoring, categories), scoring, truth)


def match_detections(detections: Detections, scoring: OksScoring, truth: Truth) -> OksMatched:
    """Match poses to people by the protocol's rules; raises the errors of `match_oks`."""
    check_finite("keypoints", detections.keypoints)
    check_finite("scores", detections.scores)
    if detections.boxes is not None:
        check_finite("boxes", detections.boxes)
    check_num_keypoints("predictions", detections.keypoints.shape[1], scoring)
    check_num_keypoints(f"{truth.path}", truth.keypoints.shape[1], scoring)
    if scoring.area == "annotation" and np.isnan(truth.areas).any():
        raise RunError(f"{truth.path}: the protocol needs the 'area' of every annotation")
    if scoring.crowd and (np.isnan(truth.crowd_indices).any() or (truth.num_keypoints < 0).any()):
        raise RunError(f"{truth.path}: the protocol needs 'crowdIndex' and 'num_keypoints' (CrowdPose)")
    strays = np.setdiff1d(detections.image_ids, truth.image_ids)
    if len(strays):
        raise RunError(
            f"predictions in {counted(len(strays), 'image')} that {truth.path} does not have, such as {strays[0]}",
            "score a partial run with the ground truth of all its images",
        )
    sigmas = np.array(scoring.sigmas, np.float32)
    matches = match(detections, truth, sigmas, box_area=scoring.area == "box", crowd=scoring.crowd)
    return OksMatched(detections, matches, scoring, truth)
