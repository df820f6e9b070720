"""Measured differences between the predictions of two runs: people, boxes, scores, areas."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_motion import PROTOCOL, drawn

from harness.judge.differences import Observed
from harness.judge.observe import _in_sequence, _whole_images, describe_boxes, observe
from harness.judge.pairing import pair_people
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions


def made(count: int = 60) -> Predictions:
    people = drawn(count)
    rng = np.random.default_rng(3)
    areas = padded_sizes(people.boxes[:, 2:] - people.boxes[:, :2], PROTOCOL.crop).prod(axis=1)
    return replace(people, crop_areas=areas, box_scores=rng.uniform(0, 1, len(people)).astype(np.float32))


def seen(change: Callable[[Predictions], Predictions], old: Predictions | None = None) -> Observed:
    old = old or made()
    new = change(old)
    return observe(new, old, pair_people(new, old), PROTOCOL, ({"AP": 0.5}, {"AP": 0.5}))


@given(seed=st.integers(0, 1000))
def test_order_does_not_matter(seed: int) -> None:
    """The same people in another order and with other ids, as from another box file, are the same predictions."""
    order = np.random.default_rng(seed).permutation(60)

    def change(old: Predictions) -> Predictions:
        return replace(old.where(order), person_ids=np.arange(60) + 7)

    observed = seen(change)
    assert observed.same_predictions
    assert (observed.people, observed.metrics, observed.motions) == (60, {}, [])


def test_people_that_are_missing_or_new() -> None:
    observed = seen(lambda old: old.where(old.image_ids != 4))
    assert (observed.people, observed.only_old, observed.only_new, observed.images_only_old) == (57, 3, 0, 1)
    assert observed.threshold is None
    assert not observed.same_people


def test_threshold_of_box_scores() -> None:
    old = made()
    observed = seen(lambda old: old.where(old.box_scores >= 0.3))
    assert observed.threshold is not None
    assert old.box_scores[old.box_scores < 0.3].max() < observed.threshold < old.box_scores[old.box_scores >= 0.3].min()
    assert observed.only_old == (old.box_scores < 0.3).sum()


def test_few_boxes_and_areas_that_differ() -> None:
    """Most boxes and areas are the same, which is no difference of all of them."""

    def changed(values: Any, new: Any, count: int = 6) -> Any:
        return np.concatenate([new[:count], values[count:]])

    old = drawn(400).boxes
    noise = np.random.default_rng(0).uniform(3, 9, old.shape) * [-1, -1, 1, 1]
    assert (describe_boxes(changed(old, old + noise), old) or "").startswith("6 of 400 boxes differ by up to ")
    moved = describe_boxes(changed(old, old + 2), old)
    assert moved == "6 of 400 boxes are (+2, +2, +2, +2) px off, x1, y1, x2, y2"
    rounded = describe_boxes(changed(old, np.rint(old)), old)
    assert rounded == "the boxes are rounded to whole pixels (6 of 400 boxes)"

    def areas(count: int) -> str | None:
        smaller = np.float32((1.1 / 1.25) ** 2)
        return seen(
            lambda old: replace(old, crop_areas=changed(old.crop_areas, old.crop_areas * smaller, count)), made(400)
        ).areas

    assert areas(6) == "the crops have a padding of 1.1, those of the baseline 1.25 (6 of 400 people)"
    assert areas(1) == "the crop areas of 1 of 400 people differ"


def test_people_twice() -> None:
    observed = seen(lambda old: old.where(np.r_[np.arange(60), np.arange(11)]))
    assert (observed.repeated, observed.only_new, observed.only_old) == (11, 11, 0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda boxes: boxes - [0, 0, 1, 1], "all boxes are (+0, +0, -1, -1) px off"),
        (lambda boxes: np.rint(boxes), "the boxes are rounded to whole pixels"),
        (lambda boxes: np.floor(boxes), "the boxes are cut to whole pixels"),
        (
            lambda boxes: np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]),
            "the boxes are x, y, width, height of the baseline's boxes, taken as corners",
        ),
        (
            lambda boxes: np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]),
            "the boxes are the corners of the baseline's boxes, taken as x, y, width, height",
        ),
        (
            lambda boxes: boxes + 0.05 * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1],
            "the boxes are 1.1 times as wide and 1.1 times as high",
        ),
        (lambda boxes: np.minimum(boxes, 350), "px, and lie within the baseline's boxes"),
        (lambda boxes: boxes + np.random.default_rng(0).normal(0, 3, boxes.shape), "60 of 60 boxes differ by up to"),
        (lambda boxes: boxes + 0.001, None),
    ],
)
def test_boxes(function: Callable[[Any], Any], words: str | None) -> None:
    old = made().boxes
    text = describe_boxes(function(old.astype(np.float64)), old)
    assert text is None if words is None else text is not None and words in text


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda old: (old.boxes[:, 2:] - old.boxes[:, :2]).prod(axis=1), "without padding and aspect ratio"),
        (lambda old: old.crop_areas * (1.1 / 1.25) ** 2, "have a padding of 1.1, those of the baseline 1.25"),
        (lambda old: old.crop_areas * np.linspace(0.5, 2, 60), "crop areas of 60 of 60 people differ"),
    ],
)
def test_areas(function: Callable[[Predictions], Any], words: str) -> None:
    observed = seen(lambda old: replace(old, crop_areas=function(old).astype(np.float32)))
    assert words in (observed.areas or "")
    assert not observed.same_predictions


def test_crops_without_size_are_the_same() -> None:
    old = made()
    old = replace(old, crop_areas=np.where(np.arange(60) < 2, 0, old.crop_areas).astype(np.float32))
    assert seen(lambda old: replace(old, keypoints=old.keypoints + 1), old).areas is None


def test_scores_alone() -> None:
    observed = seen(lambda old: replace(old, keypoint_scores=old.keypoint_scores**2))
    assert observed.motions == []
    assert (observed.scores or "").startswith("the keypoint scores of 60 of 60 people differ by up to 0.25")
    observed = seen(lambda old: replace(old, box_scores=np.ones_like(old.box_scores)))
    assert observed.box_scores == "all box scores are 1, not those of the baseline's boxes"


def test_heatmaps_are_the_same_where_scores_are() -> None:
    assert seen(lambda old: replace(old, keypoints=old.keypoints + 1)).same_scores
    assert seen(lambda old: replace(old, keypoints=old.keypoints + 1)).moved_people == 60
    order = [*range(7), 8, 7, *range(9, 17)]
    exchanged = seen(
        lambda old: replace(old, keypoints=old.keypoints[:, order], keypoint_scores=old.keypoint_scores[:, order])
    )
    assert exchanged.same_scores  # after reordering
    other = seen(lambda old: replace(old, keypoints=old.keypoints + 1, keypoint_scores=old.keypoint_scores * 1.1))
    assert not other.same_scores
    assert other.score_change == pytest.approx(0.1, abs=1e-3)


def test_images_with_other_predictions() -> None:
    def turned(old: Predictions) -> Predictions:
        keypoints = old.keypoints.copy()
        keypoints[old.image_ids == 2] += 30
        return replace(old, keypoints=keypoints)

    observed = seen(turned)
    assert (observed.moved_people, observed.moved_images, observed.images, observed.whole_images) == (3, 1, 20, True)


def test_images_that_differ_by_chance() -> None:
    """Every third person differs; images with one person show nothing."""

    def some(old: Predictions) -> Predictions:
        keypoints = old.keypoints.copy()
        keypoints[::3] += 30
        return replace(old, keypoints=keypoints)

    assert not seen(some).whole_images
    ids, other = np.arange(60), np.arange(60) < 20
    assert not _whole_images(ids, other)
    assert _whole_images(ids // 3, other)
    assert _in_sequence(ids // 3, other)
    assert not _in_sequence(ids // 3, np.isin(ids // 3, [1, 5, 6]))
    assert not _in_sequence(ids // 3, np.ones(60, bool))


def test_poses_of_other_people() -> None:
    def exchanged(old: Predictions) -> Predictions:
        return replace(old, keypoints=np.roll(old.keypoints, 1, axis=0))

    assert seen(exchanged).others_poses == 60
    assert seen(lambda old: replace(old, keypoints=old.keypoints + 0.04)).others_poses == 0


def test_people_under_the_ids_of_other_images() -> None:
    observed = seen(lambda old: replace(old, image_ids=np.roll(old.image_ids, 3)))
    assert (observed.people, observed.only_new, observed.only_old, observed.renamed) == (0, 60, 60, 60)


def test_missing_people_with_small_boxes() -> None:
    def large(old: Predictions) -> Predictions:
        sizes = (old.boxes[:, 2:] - old.boxes[:, :2]).prod(axis=1)
        return old.where(np.flatnonzero(sizes > np.sort(sizes)[9]))

    observed = seen(large)
    assert observed.only_old == 10
    assert observed.smallest is not None
    assert observed.threshold is None


def of_one_image(change: Callable[[Predictions], Predictions]) -> Callable[[Predictions], Predictions]:
    """Return a change of the three people of one image in a hundred."""

    def few(old: Predictions) -> Predictions:
        new, here = change(old), old.image_ids == 2
        keypoints = np.where(here[:, None, None], new.keypoints, old.keypoints)
        scores = np.where(here[:, None], new.keypoint_scores, old.keypoint_scores)
        return replace(old, keypoints=keypoints, keypoint_scores=scores)

    return few


def test_scores_of_few_are_compared_where_predictions_differ() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 30, (300, 17, 2))
    swapped = [*range(7), 8, 7, *range(9, 17)]
    old = made(300)
    black = seen(
        of_one_image(
            lambda old: replace(old, keypoints=old.keypoints + noise, keypoint_scores=old.keypoint_scores / 2)
        ),
        old,
    )
    assert not black.same_scores
    assert black.score_change == pytest.approx(0.5)
    assert [(kind, exact) for kind, _, exact in black.motions] == [("irregular", False)]
    assert black.motions[0][1].endswith(" (3 of 300 people in 1 of 100 images)")
    moved = seen(of_one_image(lambda old: replace(old, keypoints=old.keypoints + 1)), old)
    assert moved.same_scores
    assert moved.motions == [
        ("shifted", "all keypoints are moved by (+1, +1) px of the image (3 of 300 people in 1 of 100 images)", True)
    ]
    ordered = seen(
        of_one_image(
            lambda old: replace(
                old, keypoints=old.keypoints[:, swapped], keypoint_scores=old.keypoint_scores[:, swapped]
            )
        ),
        old,
    )
    assert ordered.same_scores  # after reordering
    assert ordered.motions[0][0] == "keypoint order"
