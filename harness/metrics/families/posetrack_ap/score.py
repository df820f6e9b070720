"""AP per joint on PoseTrack18, as MMPose's PoseTrack18Metric computes it with poseval.

The definition (https://github.com/leonid-pishchulin/poseval, after DeepCut, Pishchulin et al., CVPR 2016): a predicted
joint matches an annotated one if their distance is at most half the head size (PCKh@0.5). In every frame the predicted
poses are assigned to the annotated people, one to one, greedily by PCKh; unassigned poses are false positives. Then a
joint's score ranks its detections over all frames, and AP is the area under precision over recall, where precision is
the best at that recall or above. The total is the mean over 15 joints.

Further rules that only poseval's code defines:

- The assignment has two steps: for every pose, the person with the highest PCKh is chosen; for every person, the best
  of the poses that chose it is assigned. Other poses get no second choice. Of equal ones the first is chosen.
- A predicted joint of an assigned pose is a false positive if the person's joint is not annotated.
- Joints strictly inside an ignore region, predicted or annotated, are removed before the assignment.
- Frames without annotated people do not count, with all their predictions. A frame whose annotations are all inside
  ignore regions counts.
- A person whose head box has no area cannot be found, but counts as missed.
- A joint that is predicted at (0, 0) with score 0 counts as not predicted.

Rules of MMPose: poses pass the rescoring and NMS of CocoMetric, but joints are ranked by their own scores; a pose's
score has an effect only in NMS, and on the order of poses after NMS. MMPose silently drops poses in frames without
ground truth, for example after a renumbering of the images; here they are an error.

There are two intended differences from poseval. First, it ranks with an unstable sort, in the file system's order of
sequences, so that the order of equal scores depends on the machine. Here sequences are sorted by name and, as in its
`argsort()[::-1]`, the later of two equal scores comes first. Second, the AP of a joint without annotations is undefined
here; in poseval it is NaN if the joint is predicted, and otherwise 0, which lowers the total.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64, positions
from harness.errors import RunError, counted
from harness.metrics.detections import Detections
from harness.metrics.families.posetrack_ap.scoring import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import JOINTS, PoseTrackTruth, in_regions
from harness.metrics.family import Labels, Metrics
from harness.metrics.pck import optional
from harness.metrics.same_image import same_image
from harness.metrics.select_poses import select_detections
from harness.predictions import Predictions

if TYPE_CHECKING:
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.resample.draws import Draws

NUM_KEYPOINTS = 17
COLUMNS = [0, 1, 2, *range(5, NUM_KEYPOINTS)]
"""The evaluated joints among the keypoints that MMPose's models predict; 3 and 4 are the ears."""
THRESHOLD = 0.5
"""Largest distance of a match, in head sizes."""
GROUPS = {
    "head": ("nose", "head_bottom", "head_top"),
    **{joint: (f"left_{joint}", f"right_{joint}") for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
}


@dataclass(frozen=True)
class PoseTrackMatched:
    """The joints of N poses in frames with people, by frame in the ground truth's order."""

    detections: Detections
    """All poses after rescoring and NMS, including those in frames without people."""
    truth: PoseTrackTruth
    frames: Indices
    """[N] index into the ground truth's image_ids, ascending."""
    scores: Float64
    """[N, 15] scores of the joints."""
    predicted: Bool
    """[N, 15] which joints are predicted, outside of ignore regions."""
    correct: Bool
    """[N, 15] which joints match the assigned person's."""

    def ranked(self, joint: int) -> Indices:
        """Return the indices of poses with this joint detected, best first; of equal scores the later is first."""
        poses = np.flatnonzero(self.predicted[:, joint])
        ranked: Indices = poses[np.argsort(self.scores[poses, joint], kind="stable")[::-1]]
        return ranked

    @cached_property
    def image_ids(self) -> Int64:
        """All frames of the ground truth."""
        return np.unique(self.truth.image_ids)

    def stats(self) -> Metrics:
        """Return AP, the mean over 15 joints, then AP by kind of joint.

        Values are fractions of 1 (poseval's are percent). A joint without annotations is left out of AP, and makes the
        mean of its kind undefined (None).
        """
        annotated = self.truth.annotated
        by_joint = [
            _average_precision(self.correct[self.ranked(joint), joint], int(annotated[:, joint].sum()))
            for joint in range(len(JOINTS))
        ]
        return posetrack_stats(np.array(by_joint))

    def resampled(self, draws: "Draws") -> dict[str, Float64]:
        """Return the stats in every resample."""
        from harness.metrics.families.posetrack_ap.resample import resample_posetrack  # numba

        return resample_posetrack(self, draws)

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the poses."""
        from harness.metrics.families.posetrack_ap.diagnosis import diagnose_posetrack

        return diagnose_posetrack(self, labels)


def match_posetrack(predictions: Predictions, scoring: PoseTrackScoring, truth: PoseTrackTruth) -> PoseTrackMatched:
    """Rescore, suppress duplicates and assign poses to people.

    Raises:
        RunError: Predictions are not finite, have other keypoints, or are in images that the ground truth lacks.
    """
    if predictions.keypoints.shape[1] != NUM_KEYPOINTS:
        raise RunError(f"predictions: {predictions.keypoints.shape[1]} keypoints a person, not {NUM_KEYPOINTS}")
    detections = select_detections(predictions, scoring)
    images = positions(truth.image_ids, detections.image_ids)
    strays = np.unique(detections.image_ids[images < 0])
    if len(strays):
        raise RunError(
            f"predictions in {counted(len(strays), 'image')} that no sequence in {truth.path} has, such as {strays[0]}",
            "the sequences must be those of the annotation file, with the same image ids",
        )
    # In the order of the ground truth's frames; poses in frames without people do not count.
    poses = np.argsort(images, kind="stable")
    poses = poses[np.isin(images[poses], truth.person_images)]
    images, keypoints = images[poses], detections.keypoints[poses][:, COLUMNS]
    joints, scores = keypoints[..., :2], keypoints[..., 2]
    predicted = (keypoints != 0).any(axis=-1) & ~in_regions(truth.regions, images, joints)
    correct = _assign(images, joints, predicted, truth)
    return PoseTrackMatched(detections, truth, images, scores, predicted, correct)


def posetrack_stats(by_joint: Float64) -> Metrics:
    """Return the stats from the AP of each joint, [15], which is NaN for a joint without annotations."""
    defined = by_joint[~np.isnan(by_joint)]
    groups = {
        f"AP({group})": optional(by_joint[[JOINTS.index(joint) for joint in joints]].mean())
        for group, joints in GROUPS.items()
    }
    return {"AP": float(defined.mean()) if len(defined) else None, **groups}


def _assign(images: Indices, joints: Float64, predicted: Bool, truth: PoseTrackTruth) -> Bool:
    """Assign N poses to people and return which of their joints are correct, [N, 15].

    Args:
        images: [N] each pose's frame, as an index into the ground truth.
        joints: [N, 15, 2] px
        predicted: [N, 15]
        truth: The ground truth, with at least one person in each of the frames.
    """
    poses, people = same_image(images, truth.person_images)
    sizes = np.where(truth.head_sizes == 0, np.nan, truth.head_sizes)[people, None]
    matched = np.linalg.norm(truth.joints[people] - joints[poses], axis=-1) / sizes <= THRESHOLD
    matched &= truth.annotated[people] & predicted[poses]
    pck = matched.sum(axis=1) / np.maximum(truth.annotated[people].sum(axis=1), 1)

    pairs = _best(poses, pck, np.flatnonzero(pck > 0))
    pairs = _best(people, pck, pairs)
    correct = np.zeros(predicted.shape, bool)
    correct[poses[pairs]] = matched[pairs]
    return correct


def _best(groups: Indices, values: Float64, pairs: Indices) -> Indices:
    """Return the pair with the highest value in each group, the first of equal ones."""
    ranked = pairs[np.lexsort((-values[pairs], groups[pairs]))]
    _, first = np.unique(groups[ranked], return_index=True)
    return np.sort(ranked[first])


def _average_precision(hits: Bool, positives: int) -> float:
    """Return the area under the best precision at each recall or above; NaN without annotated joints.

    Args:
        hits: [D] which detections are correct, best first.
        positives: Number of annotated joints.
    """
    if not positives:
        return np.nan
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / positives)
