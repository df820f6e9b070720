"""Annotated people in the form that the diagnosis takes, whatever the data set."""

from dataclasses import dataclass

import numpy as np

from harness.arrays import Bool, Float64, Indices, Int64


@dataclass(frozen=True)
class AnnotatedPeople:
    """M annotated people with K keypoints each."""

    ids: Int64 | None
    """[M]"""
    image_ids: Int64
    """[M]"""
    keypoints: Float64
    """[M, K, 2] x, y in image px."""
    labelled: Bool
    """[M, K] which keypoints the metric counts."""
    hidden: Bool | None
    """[M, K] which of these are labelled as hidden; None where the truth does not tell."""
    spreads: Float64
    """[M, K] px²: at a squared distance of so much, the similarity of a keypoint is 1/e."""
    boxes: Float64
    """[M, 4] x1, y1, x2, y2, image px."""
    to_find: Bool
    """[M]"""

    def similarity(self, points: Float64, people: Indices, keypoints: Indices | None = None) -> Float64:
        """Return how similar the keypoints of P poses are to those of people, [P, K]; 0 where these are not labelled.

        As in OKS, ks = exp(-d² / spread).

        Args:
            points: [P, K, 2] image px; infinite where a keypoint is not predicted.
            people: [P] whom each pose is compared with.
            keypoints: [K] which of the person's keypoints each of the pose's is compared with; by default the same.
        """
        columns = np.arange(points.shape[1]) if keypoints is None else keypoints
        offsets = points - self.keypoints[people][:, columns]
        squares = offsets[..., 0] ** 2 + offsets[..., 1] ** 2
        ks: Float64 = np.exp(-squares / (self.spreads[people] + np.spacing(1)))
        return np.where(self.labelled[people][:, columns], ks, 0.0)

    def mean_similarity(self, points: Float64, people: Indices) -> Float64:
        """Return the mean over each person's labelled keypoints, [P], as OKS is; 0 without any."""
        means: Float64 = self.similarity(points, people).sum(axis=1) / np.maximum(1, self.labelled[people].sum(axis=1))
        return means


def spread_at_half(distances: Float64) -> Float64:
    """Return the spreads, px², with which the similarity is 0.5 at these distances, px."""
    spreads: Float64 = distances**2 / np.log(2)
    return spreads


def same_image(first: Int64, second: Int64) -> tuple[Indices, Indices]:
    """Return all pairs of indices whose image ids are equal, by the first and then by the second."""
    order = np.argsort(second, kind="stable")
    start = np.searchsorted(second[order], first)
    counts = np.searchsorted(second[order], first, side="right") - start
    firsts = np.repeat(np.arange(len(first)), counts)
    seconds = order[np.arange(len(firsts)) + np.repeat(start - (np.cumsum(counts) - counts), counts)]
    return firsts, seconds


def extents(keypoints: Float64, labelled: Bool) -> Float64:
    """Return the boxes around labelled keypoints, [M, 4] x1, y1, x2, y2; zeros for people without any."""
    inside = labelled[..., None]
    low = np.where(inside, keypoints, np.inf).min(axis=1)
    high = np.where(inside, keypoints, -np.inf).max(axis=1)
    boxes: Float64 = np.concatenate([low, high], axis=1)
    boxes[~labelled.any(axis=1)] = 0
    return boxes
