"""Pairs poses with people greedily: in the order of scores, each pose is paired with the most similar free person."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64
from harness.metrics.diagnosis.kinds import FOUND_SIMILARITY
from harness.metrics.diagnosis.model import Poses

PAIRED_SIMILARITY = 0.1
"""Least similarity of a pair; a pose below it is on the background. Ronchi and Perona's localisation threshold."""


@dataclass(frozen=True)
class Pairs:
    """Q pairs of one of N poses and one of M people of its image, with their similarity."""

    poses: Indices
    """[Q]"""
    people: Indices
    """[Q]"""
    similarity: Float64
    """[Q] OKS, or the mean similarity of the labelled keypoints."""

    def most_similar(self, people: Bool, num_poses: int) -> Float64:
        """Return the highest similarity of each pose, [N], to a person marked in `people`, [M]; 0 without one."""
        pairs = people[self.people]
        highest = np.zeros(num_poses)
        np.maximum.at(highest, self.poses[pairs], self.similarity[pairs])
        return highest


def pair(pairs: Pairs, image_ids: Int64, to_find: Bool, threshold: float) -> Indices:
    """Pair poses with people one to one, as COCO's evaluation does at one OKS threshold for people of all sizes.

    Args:
        pairs: All pairs of a pose and a person of its image.
        image_ids: [N] images of the poses; within an image the best score comes first.
        to_find: [M] people that can be paired.
        threshold: Least similarity.

    Returns:
        [M] index of each person's pose; -1 for people without a pose. Of equally similar people, a pose is paired with
        the last, as in COCO's code.
    """
    found = np.flatnonzero(to_find[pairs.people] & (pairs.similarity >= threshold))
    # Poses of one rank are in different images, and cannot be paired with the same person.
    by_image = np.argsort(image_ids, kind="stable")
    ranks = np.empty(len(image_ids), np.intp)
    ranks[by_image] = np.arange(len(image_ids)) - np.searchsorted(image_ids[by_image], image_ids[by_image])
    found = found[
        np.lexsort((pairs.people[found], pairs.similarity[found], pairs.poses[found], ranks[pairs.poses[found]]))
    ]
    poses, people = pairs.poses[found], pairs.people[found]
    bounds = np.searchsorted(ranks[poses], np.arange(ranks.max(initial=-1) + 2))

    pose_of = np.full(len(to_find), -1)
    for start, stop in pairwise(bounds.tolist()):
        free = np.arange(start, stop)[pose_of[people[start:stop]] < 0]
        last = np.append(poses[free[1:]] != poses[free[:-1]], True)[: len(free)]
        pose_of[people[free[last]]] = poses[free[last]]
    return pose_of


def count_poses(pairs: Pairs, pose_of: Indices, to_find: Bool, ignored: Bool, scores: Float64) -> tuple[Poses, Bool]:
    """Count the poses by their relation to people.

    Args:
        pairs: All pairs of a pose and a person of its image.
        pose_of: [M] index of each person's pose, from `pair` at PAIRED_SIMILARITY.
        to_find: [M] people to find.
        ignored: [N] poses on crowds, on people without keypoints, or in ignore regions.
        scores: [N]

    Returns:
        The counts; [N] which poses are on the background.
    """
    similarity = pairs.most_similar(to_find, len(scores))
    paired = np.isin(np.arange(len(scores)), pose_of)
    duplicate = ~paired & (similarity >= FOUND_SIMILARITY)
    ignored = ignored & ~paired & ~duplicate
    nearby = ~paired & ~duplicate & ~ignored & (similarity >= PAIRED_SIMILARITY)
    background = ~(paired | duplicate | ignored | nearby)
    counts = Poses(
        paired=int(paired.sum()),
        duplicates=int(duplicate.sum()),
        ignored=int(ignored.sum()),
        nearby=int(nearby.sum()),
        background=int(background.sum()),
        background_score=float(scores[background].mean()) if background.any() else None,
    )
    return counts, background
