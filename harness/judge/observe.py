"""Measures the differences between the predictions of a run and of a baseline."""

import numpy as np

from harness.arrays import Bool, Float64, Floating, Int64
from harness.judge.alternatives import Metrics
from harness.judge.differences import Observed
from harness.judge.motion import MOST, SAME, Sides, motions
from harness.judge.pairing import SamePeople
from harness.metrics.match import difference
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions
from harness.protocol import Protocol

EQUAL = 1e-9
"""Metrics within this difference count as equal, because sums on another machine round differently."""
SCORE = 1e-5
"""Keypoint scores within this difference count as equal."""
CHANCE = 0.01
"""A relation is not by chance if its probability is less than this."""
SHARE = 0.8
"""An image counts as changed as a whole if the predictions of at least this fraction of its people differ."""


def observe(
    new: Predictions, old: Predictions, paired: SamePeople, protocol: Protocol, metrics: tuple[Metrics, Metrics]
) -> Observed:
    """Return the differences between the predictions of a run and of a baseline.

    Args:
        new: Predictions of the run.
        old: Predictions of the baseline.
        paired: The people that both share.
        protocol: The protocol of the baseline.
        metrics: Recorded metrics of the run and of the baseline.
    """
    now, before = new.where(paired.new), old.where(paired.old)
    sides = Sides.of(now, before, protocol)
    same_boxes = (np.abs(now.boxes.astype(np.float64) - before.boxes) <= SAME).all(axis=1)
    scores_off = np.abs(now.keypoint_scores.astype(np.float64) - before.keypoint_scores)
    other = (sides.moved | (scores_off > SCORE)).any(axis=1)
    images_now, images_before = np.unique(new.image_ids), np.unique(old.image_ids)
    gone = np.setdiff1d(images_before, images_now)
    found = motions(sides.chosen(same_boxes)) if same_boxes.sum() >= max(1, 0.5 * len(now)) else []
    fitted = same_boxes & sides.sized
    moving = fitted & sides.moved.any(axis=1)
    order = next((motion.order for motion in found if motion.order), None)
    ordered = scores_off.copy()
    if order is not None:
        ordered[moving] = np.abs(now.keypoint_scores - before.keypoint_scores[:, list(order)])[moving]
    differ = sides.moved | (ordered > SCORE)
    same_scores = bool(same_boxes.any()) and _most((ordered <= SCORE)[same_boxes][differ[same_boxes]])
    poses, poses_before = _poses(now), _poses(before)
    changed = moving & (poses != poses_before).any(axis=(1, 2))
    whose = _whose(moving, fitted, before.image_ids) if moving.any() else ""
    return Observed(
        people=len(now),
        only_new=len(paired.only_new),
        only_old=len(paired.only_old),
        images_only_old=len(gone),
        repeated=paired.repeated,
        renamed=sum(_are_among(_poses(new)[paired.only_new], _poses(old)[paired.only_old])),
        threshold=_threshold(old.box_scores, paired),
        smallest=_threshold((old.boxes[:, 2:] - old.boxes[:, :2]).prod(axis=1), paired),
        boxes=describe_boxes(now.boxes, before.boxes),
        box_scores=_describe_scores(now.box_scores, before.box_scores),
        areas=_describe_areas(now, before, protocol) if same_boxes.any() else None,
        moved_people=int(other.sum()),
        moved_images=len(np.unique(before.image_ids[other])),
        images=len(np.unique(before.image_ids)),
        whole_images=_whole_images(before.image_ids, other),
        in_sequence=_in_sequence(before.image_ids, other),
        others_poses=sum(_are_among(poses[changed], poses_before)),
        same_scores=same_scores,
        score_change=float(np.median((scores_off / np.maximum(np.abs(before.keypoint_scores), 1e-6))[differ]))
        if differ.any()
        else 0.0,
        slight=float(np.abs(sides.off[~sides.moved]).max(initial=0)),
        moved_px=_median_px(sides.chosen(moving)),
        scores=_describe_keypoint_scores(scores_off) if not sides.moved.any() else None,
        motions=[(motion.kind, f"{motion.text}{whose}", motion.exact) for motion in found],
        metrics=_other_metrics(*metrics),
    )


def _most(fits: Bool) -> bool:
    """Return whether something fits nearly all; True of none."""
    return not len(fits) or bool(fits.mean() >= MOST)


def _whose(moving: Bool, people: Bool, image_ids: Int64) -> str:
    """Return how many of some people moved and in how many images, in brackets; an empty text if nearly all did."""
    if moving.sum() >= MOST * people.sum():
        return ""
    images = [len(np.unique(image_ids[some])) for some in (moving, people)]
    return f" ({moving.sum()} of {people.sum()} people in {images[0]} of {images[1]} images)"


def _other_metrics(new: Metrics, old: Metrics) -> dict[str, tuple[float | None, float | None]]:
    pairs = {name: (new.get(name), old.get(name)) for name in [*old, *(name for name in new if name not in old)]}
    return {name: pair for name, pair in pairs.items() if difference(*pair) > EQUAL}


def _threshold(values: Floating, paired: SamePeople) -> float | None:
    """Return the value halfway between those of the missing people and those of the others, of the baseline's values.

    None if no person is missing or the two ranges of values overlap.
    """
    if not len(paired.only_old) or not len(paired.old):
        return None
    missing, there = values[paired.only_old].max(), values[paired.old].min()
    return float(missing + there) / 2 if missing < there else None


def _whole_images(image_ids: Int64, other: Bool) -> bool:
    """Return whether, in images with different predictions, those of most people differ, and not by chance.

    Images with one person show nothing. If people differed independently of their images, the others in an image with a
    person that differs would differ as often as all people.
    """
    if not other.any():
        return False
    affected = np.isin(image_ids, image_ids[other])
    others = int(other.sum()) - len(np.unique(image_ids[other]))
    return bool(other[affected].mean() >= SHARE and other.mean() ** others < CHANCE)


def _in_sequence(image_ids: Int64, other: Bool) -> bool:
    """Return whether the images with different predictions, but not all images, follow each other."""
    found, first = np.unique(image_ids, return_index=True)
    affected = np.isin(found[np.argsort(first)], image_ids[other])
    places = np.flatnonzero(affected)
    return 2 < len(places) < len(affected) and bool(places[-1] - places[0] == len(places) - 1)


def _poses(predictions: Predictions) -> Float64:
    """Return keypoints [N, K, 2], rounded to 0.1 px."""
    return np.round(predictions.keypoints.astype(np.float64), 1) + 0.0


def _are_among(poses: Float64, others: Float64) -> list[bool]:
    """Return for each of some poses whether it is equal to one of the others."""
    known = {pose.tobytes() for pose in others}
    return [pose.tobytes() in known for pose in poses]


def _median_px(sides: Sides) -> float:
    """Return the median distance of the keypoints that moved, px of the heatmap; 0 if none moved."""
    return float(np.median(np.hypot(*sides.off_in_heatmap[sides.moved].T))) if sides.moved.any() else 0.0


def describe_boxes(new: Floating, old: Floating) -> str | None:
    """Return how boxes x1, y1, x2, y2 [n, 4], px, differ from those of the baseline; None if they do not."""
    new, old = new.astype(np.float64), old.astype(np.float64)
    off = new - old
    differ = (np.abs(off) > SAME).any(axis=1)
    if not differ.any():
        return None

    count = f"{differ.sum()} of {len(off)}"
    some = "" if differ.all() else f" ({count} boxes)"
    new, old, off = new[differ], old[differ], off[differ]
    usual = np.median(off, axis=0)
    if _most((np.abs(off - usual) <= SAME).all(axis=1)):
        who = count if some else "all"
        return f"{who} boxes are ({', '.join(f'{value:+.3g}' for value in usual)}) px off, x1, y1, x2, y2"
    sizes = old[:, 2:] - old[:, :2]
    if _most((np.abs(new - np.hstack([old[:, :2], sizes])) <= 2 * SAME).all(axis=1)):
        return f"the boxes are x, y, width, height of the baseline's boxes, taken as corners{some}"
    if _most((np.abs(new - np.hstack([old[:, :2], old[:, :2] + old[:, 2:]])) <= 2 * SAME).all(axis=1)):
        return f"the boxes are the corners of the baseline's boxes, taken as x, y, width, height{some}"
    for words, rounding in (("rounded", np.rint), ("cut", np.floor)):
        if _most((np.abs(new - rounding(old)) <= SAME).all(axis=1)):
            return f"the boxes are {words} to whole pixels{some}"
    ratios = (new[:, 2:] - new[:, :2]) / np.maximum(sizes, 1e-9)
    factor = np.median(ratios, axis=0)
    if _most((np.abs(ratios - factor) <= 2e-3).all(axis=1)) and (np.abs(factor - 1) > 2e-3).any():
        return f"the boxes are {factor[0]:.3g} times as wide and {factor[1]:.3g} times as high{some}"
    lost = (new[:, :2] >= old[:, :2] - SAME).all(axis=1) & (new[:, 2:] <= old[:, 2:] + SAME).all(axis=1)
    how = ", and lie within the baseline's boxes" if _most(lost) else ""
    return f"{count} boxes differ by up to {np.abs(off).max():.3g} px{how}"


def _describe_scores(new: Floating, old: Floating) -> str | None:
    differ = np.abs(new.astype(np.float64) - old) > 1e-6
    if not differ.any():
        return None
    if (new == new[0]).all():
        return f"all box scores are {new[0]:g}, not those of the baseline's boxes"
    return f"the box scores of {differ.sum()} of {len(new)} people differ"


def _describe_areas(new: Predictions, old: Predictions, protocol: Protocol) -> str | None:
    """Return how crop areas differ from those of the baseline; None if they do not."""
    before = np.maximum(old.crop_areas.astype(np.float64), 1e-9)
    ratios, differ = new.crop_areas / before, np.abs(new.crop_areas - old.crop_areas) > 1e-3 * before
    if not differ.any():
        return None
    count = f"{differ.sum()} of {len(ratios)} people"
    some = "" if differ.all() else f" ({count})"
    ratios, areas, sizes = ratios[differ], new.crop_areas[differ], new.sizes[differ]
    if _most(np.abs(areas / np.maximum(sizes.prod(axis=1), 1e-9) - 1) <= 1e-3):
        return f"the crop areas are those of the boxes, without padding and aspect ratio{some}"
    usual = max(float(np.median(ratios)), 1e-9)
    if _most(np.abs(ratios / usual - 1) <= 2e-3) and (len(ratios) > 1 or not some):
        padding = protocol.crop.padding * np.sqrt(usual)
        return f"the crops have a padding of {padding:.3g}, those of the baseline {protocol.crop.padding:g}{some}"
    if _most(np.abs(areas / np.maximum(padded_sizes(sizes, protocol.crop).prod(axis=1), 1e-9) - 1) <= 1e-3):
        return f"the crop areas are those of the boxes with padding, and the baseline's are not{some}"
    return f"the crop areas of {count} differ"


def _describe_keypoint_scores(off: Float64) -> str | None:
    differ = (off > SCORE).any(axis=1)
    if not differ.any():
        return None
    return f"the keypoint scores of {differ.sum()} of {len(off)} people differ by up to {off.max():.3g}"
