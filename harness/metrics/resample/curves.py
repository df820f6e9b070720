"""Precision and recall in every resample.

Detections are matched and ranked once; a resample changes only how often each counts. The result equals that of a data
set with as many copies of each unit as are drawn, with ids that put copies next to each other. This order decides
between equal scores: all detections of one copy precede those of the next.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from harness.arrays import Bool, Float64, Int64

EPSILON = np.spacing(1)
"""Added to the number of detections, as in xtcocotools."""


@dataclass(frozen=True)
class Ranking:
    """D detections that count, best first; detections of one unit with equal scores are next to each other."""

    units: npt.NDArray[np.int32]
    """[D]"""
    hits: Bool
    """[D] which detections match a person."""
    ties: npt.NDArray[np.int32]
    """[D] for the last of a unit's detections with equal scores, their number; 1 for all others."""

    @classmethod
    def of(cls, units: Int64, scores: Float64, hits: Bool) -> "Ranking":
        """Return the ranking of detections that are sorted already."""
        starts = np.ones(len(units), bool)
        starts[1:] = (units[1:] != units[:-1]) | (scores[1:] != scores[:-1])
        first = np.flatnonzero(starts)
        last = np.append(first[1:], len(units))[: len(first)] - 1
        ties = np.ones(len(units), np.int32)
        ties[last] = last - first + 1
        return cls(units.astype(np.int32), hits, ties)


@dataclass(frozen=True)
class ResampledCurve:
    """Precision over recall in R resamples."""

    precision: Float64
    """[R, P] the best precision at each recall or above; 0 at recalls not reached, -1 without people to find."""
    recall: Float64
    """[R] the recall of all detections; -1 without people to find."""
    area: Float64
    """[R] the area under the best precision, with a step of recall for each hit; NaN without people to find."""


def resample_curve(
    ranking: Ranking, to_find: Int64, counts: npt.NDArray[np.uint16], recalls: Float64
) -> ResampledCurve:
    """Return precision and recall of a ranking in R resamples of U units.

    Args:
        ranking: D detections.
        to_find: [U] number of people to find in each unit.
        counts: [R, U] how often each unit is drawn.
        recalls: [P] ascending from 0.
    """
    resamples = len(counts)
    curve = ResampledCurve(
        np.full((resamples, len(recalls)), -1.0), np.full(resamples, -1.0), np.full(resamples, np.nan)
    )
    _fill_curve(
        ranking.units, ranking.hits, ranking.ties, to_find, counts, recalls, curve.precision, curve.recall, curve.area
    )
    return curve


@njit(nogil=True, cache=True)
def _fill_curve(units, hits, ties, to_find, counts, recalls, precision, recall, area):  # type: ignore[no-untyped-def]
    resamples, count = counts.shape
    right_of, wrong_of = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for i in range(len(units)):
        if hits[i]:
            right_of[units[i]] += 1
        else:
            wrong_of[units[i]] += 1

    for r in range(resamples):
        times = counts[r]
        right, wrong, people = 0, 0, 0
        for u in range(count):
            right += times[u] * right_of[u]
            wrong += times[u] * wrong_of[u]
            people += times[u] * to_find[u]
        if people == 0:
            continue
        recall[r] = right / people
        # From the worst detection to the best: the best precision so far is that at this recall or above.
        best, under = 0.0, 0.0
        point = _fill(precision[r], recalls, len(recalls) - 1, recall[r], best)
        i = len(units) - 1
        while i >= 0:
            drawn, tied = int(times[units[i]]), ties[i]
            if tied == 1 and not hits[i]:  # most detections
                wrong -= drawn
                i -= 1
                continue
            # The last of consecutive copies has the best precision, so that they are one step.
            copies, step = (1, drawn) if tied == 1 else (drawn, 1)
            for _ in range(copies):
                for j in range(i, i - tied, -1):
                    if not hits[j]:
                        wrong -= step
                    elif step:
                        best = max(best, right / (right + wrong + EPSILON))
                        under += step * best
                        right -= step
                        point = _fill(precision[r], recalls, point, right / people, best)
            i -= tied
        precision[r, : point + 1] = best
        area[r] = under / people


@njit(nogil=True, cache=True)
def _fill(precision, recalls, point, below, value):  # type: ignore[no-untyped-def]
    """Fill the points with larger recall, downwards from this one, and return the first point without."""
    while point >= 0 and recalls[point] > below:
        precision[point] = value
        point -= 1
    return point
