"""Annotated people as the diagnosis needs them, in the same form for all data sets."""

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
    """[M, K] which of these are labelled as hidden; None if the ground truth does not mark them."""
    spreads: Float64
    """[M, K] px²: the squared distance at which the similarity of a keypoint is 1/e."""
    boxes: Float64
    """[M, 4] x1, y1, x2, y2, image px."""
    to_find: Bool
    """[M] which people count."""

    def similarity(self, points: Float64, people: Indices, keypoints: Indices | None = None) -> Float64:
        """Return the similarities of keypoints of P poses to those of people, [P, K]; 0 for keypoints without labels.

        As in OKS, ks = exp(-d² / spread).

        Args:
            points: [P, K, 2] image px; infinite for a keypoint that is not predicted.
            people: [P] index of the person that each pose is compared with.
            keypoints: [K] index of the person's keypoint that each keypoint is compared with; by default the same.
        """
        columns = np.arange(points.shape[1]) if keypoints is None else keypoints
        offsets = points - self.keypoints[people][:, columns]
        squares = offsets[..., 0] ** 2 + offsets[..., 1] ** 2
        ks: Float64 = np.exp(-squares / (self.spreads[people] + np.spacing(1)))
        return np.where(self.labelled[people][:, columns], ks, 0.0)

    def mean_similarity(self, points: Float64, people: Indices) -> Float64:
        """Return the mean over each person's labelled keypoints, [P], like OKS; 0 without labelled keypoints."""
        means: Float64 = self.similarity(points, people).sum(axis=1) / np.maximum(1, self.labelled[people].sum(axis=1))
        return means


def spread_at_half(distances: Float64) -> Float64:
    """Return the spreads, px², for a similarity of 0.5 at these distances, px."""
    spreads: Float64 = distances**2 / np.log(2)
    return spreads


def extents(keypoints: Float64, labelled: Bool) -> Float64:
    """Return the extents of labelled keypoints, [M, 4] x1, y1, x2, y2; zeros for people without labelled keypoints."""
    inside = labelled[..., None]
    low = np.where(inside, keypoints, np.inf).min(axis=1)
    high = np.where(inside, keypoints, -np.inf).max(axis=1)
    boxes: Float64 = np.concatenate([low, high], axis=1)
    boxes[~labelled.any(axis=1)] = 0
    return boxes
