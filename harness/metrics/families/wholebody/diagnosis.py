"""Diagnosis of predictions that are scored by whole-body AP."""

from functools import reduce

import numpy as np

from harness.arrays import Float64
from harness.metrics.diagnosis.model import Breakdown, Diagnosis, Group, Keypoint, Tally
from harness.metrics.families.oks.average_precision import accumulate
from harness.metrics.families.oks.diagnosis import diagnose_oks
from harness.metrics.families.oks.score import OksMatched
from harness.metrics.families.wholebody.score import COLUMNS, WholeBodyMatched
from harness.metrics.family import Labels


def diagnose_wholebody(matched: WholeBodyMatched, labels: Labels) -> Diagnosis:
    """Diagnose whole poses, as for OKS with 133 keypoints; then group people by part, found by that part alone."""
    whole = diagnose_oks(matched.parts["whole"], labels)
    parts = {part: matched.parts[part] for part in COLUMNS if part != "whole"}
    groups = [_group(part, poses, whole.keypoints[COLUMNS[part]]) for part, poses in parts.items()]
    by_part = Breakdown(by="part", unit=None, bounds=(), groups=tuple(groups))
    return whole.model_copy(
        update={"metric": "wholebody", "breakdowns": (by_part, *whole.breakdowns), "parts": _precision(parts)}
    )


def _group(part: str, poses: OksMatched, keypoints: tuple[Keypoint, ...]) -> Group:
    """Return the group of people with a labelled keypoint of a part; the part's keypoints alone decide who is found."""
    matches = poses.matches
    people = int((~matches.person_ignored[0]).sum())
    found = int((matches.matched & ~matches.ignored)[0, 0].sum())
    return Group(
        name=part,
        people=people,
        missed=people - found,
        recall=poses.stats()["AR"],
        similarity=None,
        tally=reduce(_sum, (keypoint.tally for keypoint in keypoints)),
    )


def _sum(one: Tally, other: Tally) -> Tally:
    first, second = one.model_dump(), other.model_dump()
    return Tally(**{kind: first[kind] + second[kind] for kind in first})


def _precision(parts: dict[str, OksMatched]) -> dict[str, tuple[float, ...]]:
    """Return the mean precision at each recall by part, without undefined parts; `hand` is the mean of both hands."""
    curves: dict[str, Float64] = {}
    for part, poses in parts.items():
        precision = accumulate(poses.matches).precision[..., 0, 0].mean(axis=0)
        if precision.min() >= 0:
            curves[part] = precision
    left, right = curves.pop("lefthand", None), curves.pop("righthand", None)
    if left is not None and right is not None:
        curves["hand"] = (left + right) / 2
    return {part: tuple(np.round(precision, 6).tolist()) for part, precision in curves.items()}
