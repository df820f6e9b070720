"""PoseTrack18's AP in every resample."""

import numpy as np

from harness.arrays import Float64
from harness.metrics.families.oks.average_precision import RECALLS
from harness.metrics.families.posetrack_ap.score import PoseTrackMatched, posetrack_stats
from harness.metrics.families.posetrack_ap.truth import JOINTS
from harness.metrics.resample.columns import columns
from harness.metrics.resample.curves import Ranking, resample_curve
from harness.metrics.resample.draws import Draws


def resample_posetrack(matched: PoseTrackMatched, draws: Draws) -> dict[str, Float64]:
    """Return each stat in every resample, [R]; NaN where it is undefined."""
    truth = matched.truth
    unit_of_frame = draws.units_of(truth.image_ids)
    by_joint = np.empty((len(draws.counts), len(JOINTS)))
    for joint in range(len(JOINTS)):
        ranked = matched.ranked(joint)
        ranking = Ranking.of(
            unit_of_frame[matched.frames[ranked]], matched.scores[ranked, joint], matched.correct[ranked, joint]
        )
        shown = truth.person_images[truth.annotated[:, joint]]
        to_find = np.bincount(unit_of_frame[shown], minlength=draws.counts.shape[1])
        by_joint[:, joint] = resample_curve(ranking, to_find, draws.counts, RECALLS).area
    return columns([posetrack_stats(joints) for joints in by_joint])
