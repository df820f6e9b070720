"""OKS-based AP and AR in every resample."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from harness.arrays import Bool, Float64
from harness.metrics.families.oks.average_precision import (
    OKS_THRESHOLDS,
    RECALLS,
    SIZES,
    Curves,
    Matches,
    coco_stats,
    crowd_grades,
    crowdpose_stats,
)
from harness.metrics.resample.columns import columns
from harness.metrics.resample.curves import Ranking, resample_curve
from harness.metrics.resample.draws import Draws

if TYPE_CHECKING:
    from harness.metrics.families.oks.score import OksMatched


def resample_oks(matched: "OksMatched", draws: Draws) -> dict[str, Float64]:
    """Return each stat in every resample, [R]; NaN where it is undefined."""
    matches = matched.matches
    whole = _curves(matches, draws)
    if not matched.scoring.crowd:
        return columns([coco_stats(curves) for curves in whole])
    by_grade = [_curves(matches, draws, images) for images in crowd_grades(matches, matched.truth)]
    return columns([crowdpose_stats(curves, grades) for curves, *grades in zip(whole, *by_grade, strict=True)])


def _curves(matches: Matches, draws: Draws, images: Bool | None = None) -> list[Curves]:
    """Return the curves of every resample, over all images or over those marked in `images`, [I]."""
    resamples, units = draws.counts.shape
    unit_of_image = draws.units_of(matches.image_ids)
    counted = np.ones(len(matches.image_ids), bool) if images is None else images
    ranked_all = np.flatnonzero(counted[matches.detection_images])
    ranked_all = ranked_all[np.argsort(-matches.scores[ranked_all], kind="stable")]
    people_all = np.flatnonzero(counted[matches.person_images])
    detections = [ranked_all[matches.detection_categories[ranked_all] == one] for one in range(matches.categories)]
    people = [people_all[matches.person_categories[people_all] == one] for one in range(matches.categories)]
    precision = np.empty((resamples, len(OKS_THRESHOLDS), len(RECALLS), matches.categories, len(SIZES)))
    recall = np.empty((resamples, len(OKS_THRESHOLDS), matches.categories, len(SIZES)))

    def accumulate(category: int, size: int, threshold: int) -> None:
        ranked = detections[category][~matches.ignored[size, threshold, detections[category]]]
        ranking = Ranking.of(
            unit_of_image[matches.detection_images[ranked]],
            matches.scores[ranked],
            matches.matched[size, threshold, ranked],
        )
        found = people[category][~matches.person_ignored[size, people[category]]]
        to_find = np.bincount(unit_of_image[matches.person_images[found]], minlength=units)
        resampled = resample_curve(ranking, to_find, draws.counts, RECALLS)
        precision[:, threshold, :, category, size] = resampled.precision
        recall[:, threshold, category, size] = resampled.recall

    with ThreadPoolExecutor() as pool:
        list(
            pool.map(lambda index: accumulate(*index), np.ndindex(matches.categories, len(SIZES), len(OKS_THRESHOLDS)))
        )
    return [Curves(*curves) for curves in zip(precision, recall, strict=True)]
