"""The parts of a diagnosis that are the same for all metrics: the findings about each annotated person's pose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Bool, Float64, Indices
from harness.metrics.diagnosis.circumstances import Circumstance
from harness.metrics.diagnosis.kinds import KINDS, UNLABELLED, UNPAIRED, Codes, classify, tally
from harness.metrics.diagnosis.model import (
    Breakdown,
    Case,
    Diagnosis,
    ErrorKind,
    Group,
    Keypoint,
    OksFigures,
    Poses,
)
from harness.metrics.diagnosis.pairing import Pairs
from harness.metrics.diagnosis.people import AnnotatedPeople
from harness.metrics.family import Labels

WORST, MEDIAN, BINS = 12, 6, 20
_GRAVEST_FIRST: tuple[ErrorKind, ...] = ("miss", "swap", "inversion", "jitter")


@dataclass(frozen=True)
class Findings:
    """The poses of M annotated people with K keypoints each."""

    people: AnnotatedPeople
    kinds: Codes
    """[M, K] an index into KINDS, UNPAIRED, or UNLABELLED; the latter also for people that do not count."""
    ks: Float64
    """[M, K] similarity of each keypoint; NaN for keypoints without label or pose."""
    similarity: Float64
    """[M] similarity of the pose; NaN for people without a pose."""
    missed: Bool | None
    """[M] people without a pose of similarity 0.5 or more; None if every person has a pose by definition."""
    recall: Float64 | None
    """[M] the fraction of COCO's OKS thresholds at which a pose finds the person; None for metrics other than OKS."""


def find(
    points: Float64,
    people: AnnotatedPeople,
    pairs: Pairs,
    pose_of: Indices,
    mirror: Indices,
    *,
    missed: Bool | None = None,
    recall: Float64 | None = None,
) -> Findings:
    """Compare people with their poses.

    Args:
        points: [N, K, 2] keypoints of the poses, image px; infinite for a keypoint that is not predicted.
        people: M people.
        pairs: Includes all pairs of `pose_of`.
        pose_of: [M] index of each person's pose; -1 for people without a pose.
        mirror: [K] for each keypoint, its counterpart in a mirrored image.
        missed: As in `Findings`.
        recall: As in `Findings`.
    """
    kinds = np.where(people.labelled & people.to_find[:, None], UNPAIRED, UNLABELLED).astype(np.int8)
    ks = np.full(kinds.shape, np.nan)
    owners = np.flatnonzero(pose_of >= 0)
    kinds[owners], ks[owners] = classify(points[pose_of[owners]], people, owners, mirror)
    similarity = np.full(len(pose_of), np.nan)
    paired = pose_of[pairs.people] == pairs.poses
    similarity[pairs.people[paired]] = pairs.similarity[paired]
    return Findings(people, kinds, ks, similarity, missed, recall)


def describe(
    metric: str,
    findings: Findings,
    labels: Labels,
    circumstances: Sequence[Circumstance],
    points: Float64,
    pose_of: Indices,
    *,
    poses: Poses | None = None,
    keypoint_ap: Sequence[float | None] | None = None,
    oks: OksFigures | None = None,
) -> Diagnosis:
    """Describe the poses of M people with K keypoints.

    Args:
        metric: The family of the metric.
        findings: The findings about these people.
        labels: Names of the keypoints and of image files.
        circumstances: The groupings of the people.
        points: [N, K, 2] keypoints of the poses, image px, all finite.
        pose_of: [M] index of each person's pose; -1 for people without a pose.
        poses: As in `Diagnosis`.
        keypoint_ap: [K] as in `Keypoint`.
        oks: As in `Diagnosis`.
    """
    people = findings.people
    similarity = findings.similarity[~np.isnan(findings.similarity)]
    worst, median = _cases(findings, points, pose_of, labels.images)
    return Diagnosis(
        metric=metric,
        people=int(people.to_find.sum()),
        missed=None if findings.missed is None else int(findings.missed.sum()),
        poses=poses,
        tally=tally(findings.kinds),
        hidden=None if people.hidden is None else tally(findings.kinds[people.hidden]),
        keypoints=tuple(
            Keypoint(
                name=name,
                tally=tally(findings.kinds[:, index]),
                similarity=_mean(findings.ks[:, index]),
                ap=keypoint_ap[index] if keypoint_ap else None,
            )
            for index, name in enumerate(labels.names)
        ),
        breakdowns=tuple(_breakdown(findings, circumstance) for circumstance in circumstances),
        histogram=tuple(np.histogram(similarity, BINS, (0, 1))[0].tolist()),
        oks=oks,
        worst=worst,
        median=median,
    )


def _breakdown(findings: Findings, circumstance: Circumstance) -> Breakdown:
    """Return the groups of the people to find."""
    group_of = np.digitize(circumstance.values, circumstance.bounds)
    groups = []
    for index, name in enumerate(circumstance.names):
        members = findings.people.to_find & (group_of == index)
        groups.append(
            Group(
                name=name,
                people=int(members.sum()),
                missed=None if findings.missed is None else int(findings.missed[members].sum()),
                recall=None if findings.recall is None else _mean(findings.recall[members]),
                similarity=_mean(findings.similarity[members]),
                tally=tally(findings.kinds[members]),
                ap=circumstance.ap[index] if circumstance.ap else None,
            )
        )
    return Breakdown(by=circumstance.by, unit=circumstance.unit, bounds=circumstance.bounds, groups=tuple(groups))


def _cases(
    findings: Findings, points: Float64, pose_of: Indices, images: Mapping[int, str]
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Return the worst and the median cases."""
    people = findings.people
    ranked = np.flatnonzero(~np.isnan(findings.similarity))
    # Equally similar people are ordered by labelled keypoints, most first, then by id: file order has no effect.
    ids = people.image_ids if people.ids is None else people.ids
    labelled = (findings.kinds != UNLABELLED).sum(axis=1)
    ranked = ranked[np.lexsort((ids[ranked], -labelled[ranked], findings.similarity[ranked]))]
    middle = max(0, (len(ranked) - MEDIAN) // 2)
    worst, median = (
        tuple(_case(findings, person, points[pose_of[person]], images) for person in chosen.tolist())
        for chosen in (ranked[:WORST], ranked[middle : middle + MEDIAN])
    )
    return worst, median


def _case(findings: Findings, person: int, predicted: Float64, images: Mapping[int, str]) -> Case:
    people, kinds = findings.people, findings.kinds[person]
    counts = {kind: int((kinds == KINDS.index(kind)).sum()) for kind in _GRAVEST_FIRST}
    dominating = max(counts, key=lambda kind: counts[kind])
    image_id = int(people.image_ids[person])
    labelled = np.round(people.keypoints[person], 1).tolist()
    return Case(
        annotation_id=None if people.ids is None else int(people.ids[person]),
        image_id=image_id,
        image=images.get(image_id),
        box=np.round(people.boxes[person], 1).tolist(),
        similarity=float(findings.similarity[person]),
        dominating=dominating if counts[dominating] else None,
        kinds=tuple(None if kind == UNLABELLED else KINDS[kind] for kind in kinds.tolist()),
        predicted=np.round(predicted, 1).tolist(),
        labelled=tuple(
            None if kind == UNLABELLED else point for kind, point in zip(kinds.tolist(), labelled, strict=True)
        ),
    )


def _mean(values: Float64) -> float | None:
    """Return the mean of the values that are not NaN; None if all are NaN."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None
