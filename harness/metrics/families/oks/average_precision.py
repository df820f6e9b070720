"""Average precision and recall by object keypoint similarity (OKS), for all images, thresholds and sizes at once.

The definition is COCO's (https://cocodataset.org/#keypoints-eval). Precision and recall are equal, bit for bit, to
those of xtcocotools 1.14.3, which MMPose uses. Comments marked "xtcocotools:" are about behaviour that is not part of
the definition.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Bool, Float32, Float64, Indices, Int64
from harness.metrics.detections import Detections
from harness.metrics.truth import Truth

OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
SIZES = np.array([[0, 1e5**2], [32**2, 96**2], [96**2, 1e5**2]])
"""Ranges of object areas, both ends included, px²: all, medium, large."""
MAX_DETECTIONS = 20
"""Most detections per image and category that are evaluated, those with the highest scores."""


@dataclass(frozen=True)
class Matches:
    """The matches of D detections with M people of their category, at A sizes and T OKS thresholds."""

    image_ids: Int64
    """[I] ascending: the order of evaluation."""
    detection_images: Indices
    """[D] index into image_ids; by image and category, then best first, at most MAX_DETECTIONS of each."""
    scores: Float64
    """[D]"""
    matched: Bool
    """[A, T, D]"""
    ignored: Bool
    """[A, T, D] neither correct nor wrong."""
    people: Indices
    """[M] index into the ground truth's people: by image and category, then in the order of the ground truth."""
    person_images: Indices
    """[M] index into image_ids."""
    person_ignored: Bool
    """[A, M] does not count: a crowd, without keypoints, or of another size."""
    detection_categories: Indices
    """[D] index of each detection's category, among the C categories of the people."""
    person_categories: Indices
    """[M] index of each person's category."""

    @property
    def categories(self) -> int:
        """Number of the people's categories, C."""
        return int(self.person_categories.max(initial=0)) + 1


@dataclass(frozen=True)
class Curves:
    """Precision and recall at T OKS thresholds of C categories and A sizes; -1 where there are no people to find."""

    precision: Float64
    """[T, R, C, A] the best precision at each recall or above."""
    recall: Float64
    """[T, C, A] the recall of all detections."""


def match(detections: Detections, truth: Truth, sigmas: Float32, *, box_area: bool, crowd: bool) -> Matches:
    """Match detections to people of the same image and category, greedily, highest score first.

    Args:
        detections: All in images of the ground truth, all finite.
        truth: The ground truth, with areas unless `box_area`, and with num_keypoints if `crowd`.
        sigmas: [K] single precision, as in MMPose; later sums are in double precision.
        box_area: Use a person's box for its area, in OKS and for its size.
        crowd: Evaluate as 'keypoints_crowd'.
    """
    image_ids, categories = np.unique(truth.image_ids), truth.all_categories
    count = len(categories)
    # A cell is an image and a category; each cell is matched separately.
    poses, pose_cells = best_of_each_cell(detections, image_ids, categories)
    person_cells = np.searchsorted(image_ids, truth.annotation_image_ids) * count
    person_cells += np.searchsorted(categories, truth.categories)
    people = np.argsort(person_cells, kind="stable")
    person_cells = person_cells[people]

    areas = person_areas(truth, by_box=box_area)
    # xtcocotools: keypoints are counted by their visibility, and num_keypoints is not read, except for
    # 'keypoints_crowd'; in CrowdPose, num_keypoints excludes hidden keypoints.
    empty = truth.num_keypoints == 0 if crowd else ~(truth.keypoints[..., 2] > 0).any(axis=1)
    never_counts = empty | truth.is_crowd
    person_ignored = never_counts[people] | _outside(areas[people])

    matched = np.zeros((len(poses), len(SIZES), len(OKS_THRESHOLDS)), bool)
    ignored = np.zeros_like(matched)
    poses_in, people_in = (np.bincount(cells, minlength=len(image_ids) * count) for cells in (pose_cells, person_cells))
    first_pose, first_person = (np.cumsum(counts) - counts for counts in (poses_in, people_in))
    # Cells with the same number of people form one block.
    for size in np.unique(people_in[(people_in > 0) & (poses_in > 0)]):
        cells = np.flatnonzero((people_in == size) & (poses_in > 0))
        ranks = np.arange(poses_in[cells].max())
        present = ranks < poses_in[cells][:, None]
        pose_table = first_pose[cells][:, None] + ranks
        # In reverse order, because the last of several equally similar people is matched.
        person_table = first_person[cells][:, None] + np.arange(size)[::-1]

        oks = np.full((*present.shape, size), -1.0)
        block, rank = np.nonzero(present)
        oks[block, rank] = object_keypoint_similarity(
            detections.keypoints[poses[np.repeat(pose_table[block, rank], size)], :, :2],
            truth,
            people[person_table[block].ravel()],
            areas,
            sigmas,
        ).reshape(-1, size)
        block_matched, block_ignored = _match_block(
            oks, np.moveaxis(person_ignored[:, person_table], 0, 1), truth.is_crowd[people[person_table]]
        )
        matched[pose_table[block, rank]] = block_matched[block, rank]
        ignored[pose_table[block, rank]] = block_ignored[block, rank]

    matched, ignored = (np.moveaxis(found, 0, -1) for found in (matched, ignored))
    # A detection without a match counts as wrong only for its own size.
    ignored |= ~matched & _outside(_pose_areas(detections)[poses])[:, None]
    return Matches(
        image_ids,
        pose_cells // count,
        detections.scores[poses],
        matched,
        ignored,
        people,
        person_cells // count,
        person_ignored,
        detection_categories=pose_cells % count,
        person_categories=person_cells % count,
    )


def person_areas(truth: Truth, *, by_box: bool) -> Float64:
    """Return the people's areas, [M] px²: 0.53 times their boxes if `by_box`, else as annotated."""
    return truth.boxes[:, 2] * truth.boxes[:, 3] * 0.53 if by_box else truth.areas


def object_keypoint_similarity(
    points: Float64, truth: Truth, people: Indices, areas: Float64, sigmas: Float32
) -> Float64:
    """Return the OKS of P pairs of a pose and an annotated person.

    Args:
        points: [P, K, 2] the poses' keypoints, image px.
        truth: The ground truth of M people.
        people: [P] indices into the ground truth.
        areas: [M] the people's areas, px².
        sigmas: [K]
    """
    labelled = truth.keypoints[..., 2] > 0
    counts = labelled.sum(axis=1)
    labelled_first = np.argsort(~labelled, axis=1, kind="stable")
    variances = (sigmas * 2) ** 2
    oks = np.empty(len(people))
    # By number of labelled keypoints, so that each sum is over a row without gaps, in the order of xtcocotools' sum.
    for count in np.unique(counts[people]):
        pairs = np.flatnonzero(counts[people] == count)
        person = people[pairs]
        columns = labelled_first[person, : count or None]
        found = points[pairs[:, None], columns]
        if count:
            offsets = found - truth.keypoints[person[:, None], columns, :2]
        else:
            # A person without keypoints is an ignored area: the distance is that to a box of twice the size, 0 inside.
            corner, extent = truth.boxes[person, None, :2], truth.boxes[person, None, 2:]
            offsets = np.maximum(0, corner - extent - found) + np.maximum(0, found - (corner + extent * 2))
        squares = offsets[..., 0] ** 2 + offsets[..., 1] ** 2
        exponents = squares / variances[columns] / (areas[person] + np.spacing(1))[:, None] / 2
        oks[pairs] = np.exp(-exponents).sum(axis=1) / exponents.shape[1]
    return oks


def accumulate(matches: Matches, images: Bool | None = None) -> Curves:
    """Return precision and recall from matches, over all images or over those marked in `images`, [I]."""
    if images is None:
        images = np.ones(len(matches.image_ids), bool)
    precision = np.full((len(OKS_THRESHOLDS), len(RECALLS), matches.categories, len(SIZES)), -1.0)
    recall = np.full((len(OKS_THRESHOLDS), matches.categories, len(SIZES)), -1.0)
    for category in range(matches.categories):
        chosen = np.flatnonzero(images[matches.detection_images] & (matches.detection_categories == category))
        chosen = chosen[np.argsort(-matches.scores[chosen], kind="stable")]
        people = images[matches.person_images] & (matches.person_categories == category)
        to_find = (~matches.person_ignored[:, people]).sum(axis=1)
        for size, threshold in itertools.product(np.flatnonzero(to_find), range(len(OKS_THRESHOLDS))):
            matched = matches.matched[size, threshold, chosen]
            counts = ~matches.ignored[size, threshold, chosen]
            right = np.cumsum(matched & counts).astype(np.float64)
            wrong = np.cumsum(~matched & counts).astype(np.float64)
            recalls = right / to_find[size]
            precisions = right / (wrong + right + np.spacing(1))
            best_from_here = np.maximum.accumulate(precisions[::-1])[::-1]
            # The precision is 0 at a recall that is not reached.
            reached = np.searchsorted(recalls, RECALLS, side="left")
            precision[threshold, :, category, size] = np.append(best_from_here, 0.0)[reached]
            recall[threshold, category, size] = recalls[-1] if len(recalls) else 0.0
    return Curves(precision, recall)


def coco_stats(curves: Curves) -> dict[str, float]:
    """Return COCO's ten keypoint stats, each the mean over the categories; -1 where there are no people to find."""
    precision, recall = curves.precision, curves.recall
    return {
        "AP": _mean(precision[..., 0]),
        "AP@0.5": _mean(precision[0, ..., 0]),
        "AP@0.75": _mean(precision[5, ..., 0]),
        "AP(M)": _mean(precision[..., 1]),
        "AP(L)": _mean(precision[..., 2]),
        "AR": _mean(recall[..., 0]),
        "AR@0.5": _mean(recall[0, ..., 0]),
        "AR@0.75": _mean(recall[5, ..., 0]),
        "AR(M)": _mean(recall[..., 1]),
        "AR(L)": _mean(recall[..., 2]),
    }


def crowdpose_stats(whole: Curves, by_grade: Sequence[Curves]) -> dict[str, float]:
    """Return CrowdPose's nine stats, from the curves of all images and of those of each of the three crowd grades.

    A stat is -1 where there are no people to find.
    """
    every = coco_stats(whole)
    stats = {name: every[name] for name in ("AP", "AP@0.5", "AP@0.75", "AR", "AR@0.5", "AR@0.75")}
    for name, curves in zip(("AP(E)", "AP(M)", "AP(H)"), by_grade, strict=True):
        stats[name] = round(float(curves.precision[..., 0].mean()), 4)  # xtcocotools: these three stats are rounded
    return stats


def crowd_grades(matches: Matches, truth: Truth) -> list[Bool]:
    """Return which images, [I], have a low, a medium and a high crowd index."""
    crowd_index = dict(zip(truth.image_ids.tolist(), truth.crowd_indices.tolist(), strict=True))
    # xtcocotools: the limits are 0.2 and 0.8 (its signature states 0.01 and 0.85).
    grades = np.digitize([crowd_index[image] for image in matches.image_ids.tolist()], [0.2, 0.8])
    return [grades == grade for grade in range(3)]


def _mean(values: Float64) -> float:
    defined = values[values > -1]
    return float(np.mean(defined)) if defined.size else -1.0


def best_of_each_cell(detections: Detections, image_ids: Int64, categories: Int64) -> tuple[Indices, Indices]:
    """Return the detections to evaluate, by cell and then best first, and the cell of each.

    Args:
        detections: All in these images; detections of other categories are not evaluated.
        image_ids: [I] ascending.
        categories: [C] ascending. If there is only one, the categories of detections are ignored.

    Returns:
        Indices of the detections, and their cells: C times the index of the image plus the index of the category.
    """
    # xtcocotools: a detection without a keypoint of positive score is dropped.
    takes_part = (detections.keypoints[..., 2] > 0).any(axis=1)
    category = np.zeros(len(detections), np.intp)
    if len(categories) > 1 and detections.categories is not None:
        takes_part &= np.isin(detections.categories, categories)
        category = np.searchsorted(categories, detections.categories)
    poses = np.flatnonzero(takes_part)
    cells = np.searchsorted(image_ids, detections.image_ids[poses]) * len(categories) + category[poses]
    order = np.lexsort((-detections.scores[poses], cells))
    poses, cells = poses[order], cells[order]
    rank = np.arange(len(cells)) - np.searchsorted(cells, cells)
    return poses[rank < MAX_DETECTIONS], cells[rank < MAX_DETECTIONS]


def _pose_areas(detections: Detections) -> Float64:
    if detections.boxes is not None:
        box_areas: Float64 = detections.boxes[:, 2] * detections.boxes[:, 3]
        return box_areas
    points = detections.keypoints[..., :2]
    # xtcocotools: the extent of all keypoints, with any score.
    areas: Float64 = np.prod(points.max(axis=1) - points.min(axis=1), axis=-1) if points.size else np.empty(0)
    return areas


def _outside(areas: Float64) -> Bool:
    """Return which areas are outside of each size's range, [A, N]."""
    outside: Bool = (areas < SIZES[:, :1]) | (areas > SIZES[:, 1:])
    return outside


def _match_block(oks: Float64, person_ignored: Bool, is_crowd: Bool) -> tuple[Bool, Bool]:
    """Match the detections of B images, each of which has G people and up to D detections.

    Args:
        oks: [B, D, G] detections best first; -1 pads images with fewer detections.
        person_ignored: [B, A, G]
        is_crowd: [B, G] crowds, which can be matched any number of times.

    Returns:
        Which detections have a match, and which are matched with an ignored person; [B, D, A, T] each.
    """
    blocks, ranks, people = oks.shape
    shape = (blocks, ranks, len(SIZES), len(OKS_THRESHOLDS))
    matched, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    free = np.ones((blocks, *shape[2:], people), bool)
    for rank in range(ranks):
        similar = oks[:, rank, None, None, :]
        candidates = free & (similar >= OKS_THRESHOLDS[:, None])
        # An ignored person is matched only if no person to find is similar enough.
        wanted = candidates & ~person_ignored[:, :, None, :]
        found = wanted.any(axis=-1)
        candidates = np.where(found[..., None], wanted, candidates)
        matched[:, rank] = candidates.any(axis=-1)
        ignored[:, rank] = matched[:, rank] & ~found
        best = np.where(candidates, similar, -1.0).argmax(axis=-1)
        taken = (np.arange(people) == best[..., None]) & matched[:, rank][..., None] & ~is_crowd[:, None, None, :]
        free &= ~taken
    return matched, ignored
