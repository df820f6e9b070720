"""How the keypoints of one run moved against another run: each rule on keypoints that it moved, and on noise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.motion import Sides, motions
from harness.judge.moved_keypoints import COCO_PAIRS, OPENPOSE, crop_regions_of, keypoint_moves
from harness.predictions import Predictions
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, PoseSelection, Protocol

PROTOCOL = Protocol(
    dataset="CocoDataset",
    annotations=DataFile(path="a.json", sha256=""),
    num_keypoints=17,
    flip_indices=COCO_PAIRS,
    boxes=Boxes(source="ground-truth"),
    limit=None,
    crop=Crop(input_size=(192, 256), padding=1.25, affine="plain"),
    flip=Flip(enabled=True, shift=True),
    decoder=Decoder(codec="msra", heatmap_size=(48, 64)),
    scoring=PoseSelection(metric="coco-oks", sigmas=(0.05,) * 17),
    compute=Compute(engine="shared", batch_size=4, device="cpu"),
)
HEATMAP = np.array([48, 64])


def drawn(count: int = 60, seed: int = 0, decoder: str = "quarters") -> Predictions:
    """Return people with keypoints anywhere in their crops or, as from MSRA's decoder, at quarters of pixels."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 300, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(40, 200, (count, 2))]).astype(np.float32)
    made = Predictions(
        person_ids=np.arange(count),
        image_ids=np.arange(count) // 3,
        boxes=boxes,
        box_scores=np.ones(count, np.float32),
        crop_areas=np.ones(count, np.float32),
        keypoints=np.zeros((count, 17, 2)),
        keypoint_scores=rng.uniform(0.1, 1, (count, 17)).astype(np.float32),
    )
    places = rng.uniform(2, HEATMAP - 3, (count, 17, 2))
    if decoder == "quarters":
        places = np.floor(places) + rng.choice([-0.25, 0.25], places.shape)
    return replace(made, keypoints=from_heatmap(made, places))


def from_heatmap(made: Predictions, places: Any) -> Any:
    corners, sizes = crop_regions_of(made, PROTOCOL)
    return corners + places / HEATMAP * sizes


def in_heatmap(function: Callable[[Any], Any]) -> Callable[[Predictions], Any]:
    def move(made: Predictions) -> Any:
        corners, sizes = crop_regions_of(made, PROTOCOL)
        return from_heatmap(made, function((made.keypoints - corners) / sizes * HEATMAP))

    return move


def found(
    move: Callable[[Predictions], Any], old: Predictions | None = None, decoder: Decoder = PROTOCOL.decoder
) -> list[tuple[str, str, bool]]:
    old = old or drawn()
    new = replace(old, keypoints=move(old))
    protocol = PROTOCOL.model_copy(update={"decoder": decoder})
    return [(one.kind, one.text, one.exact) for one in motions(Sides.of(new, old, protocol))]


def along_x(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda places: np.stack([function(places[..., 0]), places[..., 1]], axis=-1)


@pytest.mark.parametrize(
    ("move", "kind", "words"),
    [
        (lambda made: made.keypoints[:, list(COCO_PAIRS)], "keypoint order", "left and right are exchanged"),
        (lambda made: made.keypoints[:, list(OPENPOSE)], "keypoint order", "OpenPose's"),
        (
            lambda made: made.keypoints[:, [*range(7), 8, 7, *range(9, 17)]],
            "keypoint order",
            "7 and 8 are exchanged",
        ),
        (lambda made: made.keypoints + 1, "shifted", "moved by (+1, +1) px of the image"),
        (lambda made: made.keypoints + np.array([0.5, 0]), "shifted", "(+0.5, +0) px of the image, along x only"),
        (in_heatmap(lambda at: at + 0.125), "shifted", "moved by (+0.5, +0.5) px of the crop"),
        (
            in_heatmap(lambda at: at * HEATMAP / (HEATMAP - 1)),
            "grown",
            "x by 1.021 about",
        ),
        (in_heatmap(lambda at: (at - HEATMAP / 2) * 1.1 + HEATMAP / 2), "grown", "x by 1.1 about 0.5 of the crop"),
        (lambda made: np.rint(made.keypoints), "rounded", "rounded to whole pixels of the image"),
        (lambda made: np.floor(made.keypoints), "rounded", "cut to whole pixels of the image"),
        (in_heatmap(np.floor), "rounded", "cut to whole pixels of the heatmap"),
        (in_heatmap(along_x(np.rint)), "rounded", "rounded to whole pixels of the heatmap, along x only"),
        (
            in_heatmap(along_x(lambda x: 47 - x)),
            "mirrored",
            "mirrored within their crops, -4 px of the crop beside the mirror image",
        ),
        (
            lambda made: in_heatmap(along_x(lambda x: 48 - x))(made)[:, list(COCO_PAIRS)],
            "mirrored",
            "mirrored within their crops, left and right exchanged",
        ),
    ],
)
def test_rule_gives_all_keypoints(move: Callable[[Predictions], Any], kind: str, words: str) -> None:
    ((found_kind, text, exact),) = found(move)
    assert (found_kind, exact) == (kind, True)
    assert words in text


def test_finer_decoder_is_seen_from_the_coarser_one() -> None:
    """Here MSRA's keypoints are DARK's, rounded; the run has DARK's and the baseline MSRA's."""
    fine = drawn(decoder="fine")
    coarse = replace(fine, keypoints=in_heatmap(np.rint)(fine))
    ((kind, text, exact),) = found(lambda _: fine.keypoints, coarse)
    assert (kind, exact) == ("rounded", True)
    assert text.startswith("the baseline's are the run's rounded to whole pixels of the heatmap")


def test_same_keypoints_have_not_moved() -> None:
    assert found(lambda made: made.keypoints) == []
    assert found(lambda made: made.keypoints.astype(np.float32)) == []


@given(seed=st.integers(0, 10_000), far=st.floats(0.3, 3))
def test_noise_is_no_rule(seed: int, far: float) -> None:
    """For noise, no rule and no mean direction is reported."""
    rng = np.random.default_rng(seed)
    old = drawn(decoder="fine")
    (kind, text, exact), *usual = found(in_heatmap(lambda at: at + rng.normal(0, far, at.shape)), old)
    assert (kind, exact) == ("irregular", False)
    assert "100 % of the keypoints moved" in text
    assert not usual


@pytest.mark.parametrize(
    ("mean", "kind", "words"),
    [
        ((0.125, 0.125), "shifted", "px of the heatmap"),
        ((0.3, 0.0), "shifted", "px of the heatmap, along x only"),
    ],
)
def test_usual_direction_of_many(mean: tuple[float, float], kind: str, words: str) -> None:
    rng = np.random.default_rng(1)
    (first, *_), (found_kind, text, exact) = found(in_heatmap(lambda at: at + mean + rng.normal(0, 0.2, at.shape)))
    assert first == "irregular"
    assert (found_kind, exact) == (kind, False)
    assert text.endswith(words)


def test_usual_growth_of_many() -> None:
    rng = np.random.default_rng(1)
    middle = HEATMAP / 2
    moved = found(in_heatmap(lambda at: middle + (at - middle) * 1.03 + rng.normal(0, 0.1, at.shape)))
    assert [kind for kind, _, _ in moved] == ["irregular", "grown"]


def test_few_that_jump_do_not_hide_a_rule() -> None:
    def move(made: Predictions) -> Any:
        keypoints = made.keypoints + 1
        keypoints[0, :9] += 40
        return keypoints

    assert found(move)[0][0] == "shifted"
    assert found(lambda made: move(made) + np.where(np.arange(60) < 6, 30, 0)[:, None, None])[0][0] == "irregular"


def of_few(move: Callable[[Predictions], Any], count: int) -> Callable[[Predictions], Any]:
    """Return a move of the first people alone."""

    def few(made: Predictions) -> Any:
        keypoints = made.keypoints.copy()
        keypoints[:count] = move(made)[:count]
        return keypoints

    return few


@pytest.mark.parametrize("count", [1, 50])
def test_few_that_moved_are_not_judged_by_the_others(count: int) -> None:
    """With 60 people or 3000, most keypoints have not moved; that is no motion."""
    old = drawn(3000)
    noise = np.random.default_rng(0).normal(0, 30, old.keypoints.shape)
    ((kind, text, exact),) = found(of_few(lambda made: made.keypoints + noise, count), old)
    assert (kind, exact) == ("irregular", False)
    assert text.startswith(f"{'0.03' if count == 1 else '2'} % of the keypoints moved, the median")


@pytest.mark.parametrize(
    ("move", "kind", "words"),
    [
        (lambda made: made.keypoints[:, list(COCO_PAIRS)], "keypoint order", "left and right are exchanged"),
        (lambda made: made.keypoints + 1, "shifted", "moved by (+1, +1) px of the image"),
        (in_heatmap(np.floor), "rounded", "cut to whole pixels of the heatmap"),
        (in_heatmap(lambda at: at * HEATMAP / (HEATMAP - 1)), "grown", "x by 1.021 about"),
    ],
)
def test_rule_of_few(move: Callable[[Predictions], Any], kind: str, words: str) -> None:
    ((found_kind, text, exact),) = found(of_few(move, 5), drawn(300))
    assert (found_kind, exact) == (kind, True)
    assert words in text


def test_one_keypoint_of_a_person_is_no_rule() -> None:
    """Every single keypoint is moved by some vector; the others of the same people have not moved."""

    def first(made: Predictions) -> Any:
        keypoints = made.keypoints.copy()
        keypoints[:, 3] += 5
        return keypoints

    assert [kind for kind, _, _ in found(first)] == ["irregular"]
    assert [kind for kind, _, _ in found(of_few(first, 1))] == ["irregular"]


def test_people_whose_crop_has_no_size_are_left_out_of_the_fit() -> None:
    old = drawn()
    boxes = old.boxes.copy()
    boxes[0] = 10
    old = replace(old, boxes=boxes)
    noise = np.random.default_rng(0).normal(0, 2, old.keypoints.shape)
    assert found(lambda made: made.keypoints + noise, old)[0][0] == "irregular"
    assert found(lambda made: made.keypoints + 1, old)[0][0] == "shifted"
    ((kind, text, _),) = found(of_few(lambda made: made.keypoints + noise, 1), old)
    assert (kind, text) == ("irregular", "only keypoints of people whose crop has no size moved")


@pytest.mark.filterwarnings("error")
def test_keypoints_in_a_crop_without_size_stay_numbers() -> None:
    old = drawn(3)
    boxes = old.boxes.copy()
    boxes[0] = 10
    for setting, move in keypoint_moves(PROTOCOL):
        assert np.isfinite(move(replace(old, boxes=boxes), PROTOCOL).keypoints).all(), setting


SIMCC = Decoder(codec="simcc", simcc_split_ratio=2, simcc_lengths=(384, 512))
DARK = Decoder(codec="dark", heatmap_size=(48, 64), blur_kernel_size=11)


def on_vectors(made: Predictions) -> Predictions:
    """Return people with keypoints on whole px of SimCC's vectors."""
    return replace(made, keypoints=in_heatmap(lambda at: np.rint(at * 8) / 8)(made))


def some_moved(made: Predictions) -> Any:
    """Move two keypoints in three by half a pixel of the crop, and none of the others."""
    return in_heatmap(lambda at: at + 0.125 * (np.arange(17) % 3 > 0)[:, None])(made)


@pytest.mark.parametrize("move", [lambda made: made.keypoints + noise_of(made, 0.05), some_moved])
@pytest.mark.parametrize(("made", "decoder"), [(drawn(), PROTOCOL.decoder), (on_vectors(drawn(decoder="fine")), SIMCC)])
def test_what_the_codec_always_gives_is_no_rounding(
    move: Callable[[Predictions], Any], made: Predictions, decoder: Decoder
) -> None:
    """MSRA's keypoints are on quarters of heatmap pixels, here whole pixels of the crop; SimCC's on its vectors."""
    assert found(move, made, decoder)[0][0] == "irregular"
    assert motions_from(move, made, decoder) == "irregular"


def noise_of(made: Predictions, far: float) -> Any:
    return np.random.default_rng(0).normal(0, far, made.keypoints.shape)


def motions_from(move: Callable[[Predictions], Any], made: Predictions, decoder: Decoder) -> str:
    """Return the kind of the motion back from the moved keypoints."""
    return found(lambda _: made.keypoints, replace(made, keypoints=move(made)), decoder)[0][0]


def test_other_codecs_are_rounded_to_these_grids() -> None:
    fine = drawn(decoder="fine")
    ((kind, text, _),) = found(in_heatmap(lambda at: np.rint(4 * at) / 4), fine, DARK)
    assert (kind, "rounded to quarters of pixels of the heatmap" in text) == ("rounded", True)
    ((kind, text, _),) = found(in_heatmap(lambda at: np.floor(4 * at) / 4), on_vectors(fine), SIMCC)
    assert (kind, "cut to whole pixels of the crop" in text) == ("rounded", True)
