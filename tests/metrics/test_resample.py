"""Compared with scoring data sets that contain every image, or video, as often as it was drawn."""

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from harness.assets.dataset import data_file
from harness.errors import ObtainError, RunError
from harness.files import write_json
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh import PckhScoring
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.metrics.match import evaluate, match
from harness.metrics.resample import Draws, draw, interval, paired_difference, resampled_metrics
from harness.metrics.truth import load_truth
from harness.predictions import Predictions
from harness.protocol import Boxes, Compute, Crop, Decoder, Flip, Protocol, Scoring

from . import cases, simulated, upstream
from .measured import (
    resample_jhmdb,
    resample_mpii,
    resample_oks,
    resample_posetrack,
    score_jhmdb,
    score_mpii,
    score_oks,
)
from .simulate_coverage import COCO as COCO_PROCESS
from .simulate_coverage import ERROR_OF_1_AP, coverage, difference_of_networks
from .simulate_coverage import JHMDB as JHMDB_PROCESS
from .test_posetrack_ap import AS_THEY_ARE, by_definition, random_predictions, random_sequences, write

Generator = np.random.Generator
COCO = OksScoring(sigmas=cases.COCO_SIGMAS, area="annotation")
AIC = OksScoring(sigmas=cases.AIC_SIGMAS, area="box", score_mode="keypoint")
CROWDPOSE = OksScoring(sigmas=cases.CROWDPOSE_SIGMAS, area="box", crowd=True)
COPIES = 100
"""More than the draws of any unit here; copies of an image get consecutive ids."""


def draws_of(image_ids: Any, unit_of_image: Any = None, resamples: int = 4, seed: int = 0) -> Draws:
    image_ids = np.unique(image_ids)
    units = np.arange(len(image_ids)) if unit_of_image is None else unit_of_image
    return Draws.of_units("image" if unit_of_image is None else "video", image_ids, units, resamples, seed)


def repeat(predictions: Predictions, draws: Draws, resample: int) -> Predictions:
    """Return predictions in every copy of their image; copies of a person are adjacent."""
    times = draws.counts[resample][draws.units_of(predictions.image_ids)]
    rows = np.repeat(np.arange(len(predictions)), times)
    repeated = Predictions(**{field.name: getattr(predictions, field.name)[rows] for field in fields(predictions)})
    numbers = np.concatenate([np.arange(0), *map(np.arange, times)])
    return replace(repeated, image_ids=repeated.image_ids * COPIES + numbers)


def repeat_document(document: dict[str, Any], draws: Draws, resample: int) -> dict[str, Any]:
    times = dict(zip(draws.image_ids.tolist(), draws.counts[resample][draws.unit_of_image].tolist(), strict=True))
    images = [
        image | {"id": image["id"] * COPIES + number}
        for image in document["images"]
        for number in range(times[image["id"]])
    ]
    people = [
        person | {"id": person["id"] * COPIES + number, "image_id": person["image_id"] * COPIES + number}
        for person in document["annotations"]
        for number in range(times[person["image_id"]])
    ]
    return document | {"images": images, "annotations": people}


def assert_same(resampled: dict[str, Any], resample: int, expected: dict[str, float | None]) -> None:
    assert list(resampled) == list(expected)
    found = [resampled[name][resample] for name in expected]
    values = [np.nan if value is None else value for value in expected.values()]
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    scoring=st.sampled_from([COCO, AIC, CROWDPOSE]),
    nms=st.sampled_from(["oks", "soft-oks", "none"]),
)
def test_oks_against_mmpose_on_repeated_images(
    tmp_path_factory: pytest.TempPathFactory, seed: int, scoring: OksScoring, nms: str
) -> None:
    scoring = scoring.model_copy(update={"nms": nms})
    rng = np.random.default_rng(seed)
    document = cases.annotations(rng, len(scoring.sigmas))
    predictions = cases.predictions(rng, document, len(scoring.sigmas), np.float32)
    truth = load_truth(upstream.write(tmp_path_factory.getbasetemp() / "gt.json", document), len(scoring.sigmas))
    draws = draws_of(truth.image_ids, seed=seed)
    resampled = resample_oks(predictions, scoring, truth, draws)
    for resample in range(len(draws.counts)):
        repeated = repeat(predictions, draws, resample)
        if not len(repeated):
            continue
        annotations = upstream.write(
            tmp_path_factory.getbasetemp() / "repeated.json", repeat_document(document, draws, resample)
        )
        with pytest.MonkeyPatch.context() as monkeypatch:
            upstream.make_nms_stable(monkeypatch)
            stats = upstream.coco_metric(annotations, repeated, scoring)
        expected = dict(zip(resampled, [None if value == -1 else value for value in stats], strict=True))
        assert_same(resampled, resample, expected)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_pckh_on_repeated_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = int(rng.integers(1, 30))
    truth = MpiiTruth(
        path=Path("mpii_val.json"),
        joints=rng.uniform(0, 1000, (people, 16, 2)).astype(np.float32),
        visible=rng.random((people, 16)) < rng.choice([0.1, 0.8]),
        head_sizes=rng.choice([0, 20, 50, 80], people).astype(np.float64),
    )
    predictions = one_pose_each(rng, truth.joints - 1, rng.integers(0, 10, people))
    draws = draws_of(predictions.image_ids)
    resampled = resample_mpii(predictions, truth, draws)
    for resample, counts in enumerate(draws.counts):
        rows = np.repeat(np.arange(people), counts[draws.units_of(predictions.image_ids)])
        repeated = MpiiTruth(truth.path, truth.joints[rows], truth.visible[rows], truth.head_sizes[rows])
        found = replace(repeat(predictions, draws, resample), person_ids=np.arange(len(rows)))
        assert_same(resampled, resample, score_mpii(found, repeated))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_jhmdb_on_repeated_videos(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    document = jhmdb_document(rng, videos=int(rng.integers(1, 6)))
    truth = load_truth(upstream.write(tmp_path_factory.getbasetemp() / "jhmdb.json", document), 15)
    predictions = one_pose_each(rng, truth.keypoints[..., :2] - 1, truth.annotation_image_ids)
    predictions = replace(predictions, person_ids=truth.annotation_ids)
    draws = draws_of(truth.image_ids, truth.image_ids // 10)
    resampled = resample_jhmdb(predictions, JhmdbScoring(threshold=0.2), truth, draws)
    for resample in range(len(draws.counts)):
        repeated = repeat_document(document, draws, resample)
        if not any(value for person in repeated["annotations"] for value in person["keypoints"][2::3]):
            continue
        again = load_truth(upstream.write(tmp_path_factory.getbasetemp() / "repeated.json", repeated), 15)
        found = repeat(predictions, draws, resample)
        found = replace(found, person_ids=found.image_ids)
        assert_same(resampled, resample, score_jhmdb(found, JhmdbScoring(threshold=0.2), again))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_posetrack_on_repeated_videos(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequences = random_sequences(rng)
    folder = tmp_path_factory.getbasetemp() / "resampled-posetrack"
    try:
        truth = load_posetrack(write(folder, sequences))
    except ObtainError:  # no person is annotated outside of ignored regions
        return
    predictions = random_predictions(rng, sequences, np.float64)
    draws = draws_of(truth.image_ids, np.unique(np.sort(truth.image_ids) // 10000, return_inverse=True)[1])
    resampled = resample_posetrack(predictions, AS_THEY_ARE, truth, draws)
    for resample, counts in enumerate(draws.counts):
        repeated, found = [], []
        for document, times in zip(sequences, counts.tolist(), strict=True):
            in_video = predictions.of_images([image["id"] for image in document["images"]])
            for number in range(times):
                repeated.append(copy.deepcopy(document))
                for image in repeated[-1]["images"]:
                    image["id"] += 10**6 * number
                for one in repeated[-1]["annotations"]:
                    one["image_id"] += 10**6 * number
                found.append(replace(in_video, image_ids=in_video.image_ids + 10**6 * number))
        together = {field.name: [getattr(one, field.name) for one in found] for field in fields(Predictions)}
        again = Predictions(**{name: np.concatenate(values) for name, values in together.items()})
        assert_same(resampled, resample, by_definition(write(folder, repeated), again))


def draw_of(run: tuple[Predictions, Protocol], data: Path) -> Draws:
    return draw(match(*run, data), run[1], data, resamples=1)


def test_equal_scores_in_one_image(tmp_path: Path) -> None:
    """In every copy, the first of two poses is right: each right pose but the first has wrong ones before it."""
    points = np.random.default_rng(1).uniform(0, 100, (17, 2))
    keypoints = np.column_stack([points, np.full(17, 2)]).ravel().tolist()
    person = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 100, 100], "area": 5000, "keypoints": keypoints}
    document = {"images": [{"id": 1}], "annotations": [person], "categories": [{"id": 1, "name": "person"}]}
    truth = load_truth(upstream.write(tmp_path / "gt.json", document), 17, areas=True)
    scoring = COCO.model_copy(update={"nms": "none"})
    found = one_pose_each(np.random.default_rng(2), np.stack([points, points + 500]), [1, 1], spread=0)
    draws = replace(draws_of([1]), counts=np.full((1, 1), 3, np.uint16))
    annotations = upstream.write(tmp_path / "repeated.json", repeat_document(document, draws, 0))
    theirs = upstream.coco_metric(annotations, repeat(found, draws, 0), scoring)[0]
    assert resample_oks(found, scoring, truth, draws)["AP"] == pytest.approx(theirs, abs=1e-12)
    assert theirs == pytest.approx((34 + 33 * 2 / 3 + 34 * 3 / 5) / 101)
    assert score_oks(found, scoring, truth)["AP"] == pytest.approx(1)


def one_pose_each(rng: Generator, joints: Any, image_ids: Any, spread: float = 20) -> Predictions:
    people = len(joints)
    corners = rng.uniform(0, 100, (people, 2))
    return Predictions(
        person_ids=np.arange(people),
        image_ids=np.array(image_ids),
        boxes=np.concatenate([corners, corners + rng.choice([0, 30, 77.7], (people, 2))], axis=1).astype(np.float32),
        box_scores=np.ones(people, np.float32),
        crop_areas=np.full(people, 10000, np.float32),
        keypoints=(joints + spread * rng.normal(size=joints.shape)).astype(np.float32),
        keypoint_scores=np.ones(joints.shape[:2], np.float32),
    )


def jhmdb_document(rng: Generator, videos: int) -> dict[str, Any]:
    """Return a person in each of up to three frames of each video; person and image have the same id."""
    frames = [10 * video + frame for video in range(videos) for frame in range(rng.integers(1, 4))]
    keypoints = np.concatenate(
        [rng.uniform(1, 300, (len(frames), 15, 2)), rng.choice([0, 1, 2], (len(frames), 15, 1))], axis=2
    )
    keypoints[0, 0, 2] = 1
    return {
        "images": [{"id": frame, "file_name": f"video {frame // 10}/{frame % 10:05}.png"} for frame in frames],
        "annotations": [
            {"id": frame, "image_id": frame, "bbox": [1, 1, 50, 100], "keypoints": person.ravel().tolist()}
            for frame, person in zip(frames, keypoints, strict=True)
        ],
    }


DATASETS = {"pckh": "MpiiDataset", "jhmdb-pck": "JhmdbDataset", "posetrack-ap": "PoseTrack18Dataset"}
"""The data set class of each metric that is not COCO's."""


def protocol_of(
    data: Path, annotations: str, scoring: Scoring, num_keypoints: int, limit: int | None = None
) -> Protocol:
    return Protocol(
        dataset=DATASETS.get(scoring.metric, "CocoDataset"),
        annotations=data_file(data, annotations, "the annotation file"),
        num_keypoints=num_keypoints,
        flip_indices=tuple(range(num_keypoints)),
        boxes=Boxes(source="ground-truth"),
        limit=limit,
        crop=Crop(input_size=(192, 256), padding=1.25, affine="plain"),
        flip=Flip(enabled=False, shift=False),
        decoder=Decoder(codec="msra", heatmap_size=(48, 64)),
        scoring=scoring,
        compute=Compute(engine="shared", batch_size=1, device="cpu"),
    )


Run = tuple[Predictions, Protocol]


def coco_run(data: Path, scoring: OksScoring = COCO) -> Run:
    rng = np.random.default_rng(0)
    document = cases.annotations(rng, len(scoring.sigmas), images=12)
    write_json(data / "gt.json", document)
    predictions = cases.predictions(rng, document, len(scoring.sigmas), np.float32)
    # No pose in the first image.
    predictions = predictions.of_images([image["id"] for image in document["images"][1:]])
    return predictions, protocol_of(data, "gt.json", scoring, len(scoring.sigmas))


def crowdpose_run(data: Path) -> Run:
    return coco_run(data, CROWDPOSE)


def mpii_run(data: Path) -> Run:
    rng = np.random.default_rng(0)
    joints = rng.uniform(1, 300, (20, 16, 2))
    write_json(data / "mpii.json", [{"joints": one.tolist(), "joints_vis": [1] * 16} for one in joints])
    savemat(data / "heads.mat", {"headboxes_src": np.stack([np.zeros((2, 20)), np.full((2, 20), 40)])})
    scoring = PckhScoring(headboxes=data_file(data, "heads.mat", "the head boxes"))
    return one_pose_each(rng, joints - 1, np.arange(20) // 2 + 100), protocol_of(data, "mpii.json", scoring, 16)


def jhmdb_run(data: Path) -> Run:
    rng = np.random.default_rng(0)
    document = jhmdb_document(rng, videos=5)
    write_json(data / "jhmdb.json", document)
    truth = load_truth(data / "jhmdb.json", 15)
    found = one_pose_each(rng, truth.keypoints[..., :2] - 1, truth.annotation_image_ids)
    found = replace(found, person_ids=truth.annotation_ids)
    return found, protocol_of(data, "jhmdb.json", JhmdbScoring(threshold=0.2), 15)


def posetrack_run(data: Path) -> Run:
    rng = np.random.default_rng(2)
    sequences = random_sequences(rng)
    while len(sequences) < 3 or any(not document["annotations"] for document in sequences):
        sequences = random_sequences(rng)
    write(data, sequences)
    scoring = PoseTrackScoring(sigmas=cases.COCO_SIGMAS, sequences=data_file(data, "val", "the sequences"))
    return random_predictions(rng, sequences, np.float32), protocol_of(data, "posetrack18_val.json", scoring, 17)


@pytest.mark.parametrize("make", [coco_run, crowdpose_run, mpii_run, jhmdb_run, posetrack_run])
def test_everything_drawn_once_is_the_score(tmp_path: Path, make: Callable[[Path], Run]) -> None:
    predictions, protocol = make(tmp_path)
    draws = draw(match(predictions, protocol, tmp_path), protocol, tmp_path, resamples=3)
    resampled = resampled_metrics(
        match(predictions, protocol, tmp_path), replace(draws, counts=np.ones_like(draws.counts))
    )
    metrics = evaluate(predictions, protocol, tmp_path)
    assert_same(resampled, 0, metrics)
    assert 0.01 < (next(iter(metrics.values())) or 0) < 0.99
    # The same seed gives the same draws, and another seed others.
    np.testing.assert_array_equal(
        draw(match(predictions, protocol, tmp_path), protocol, tmp_path, resamples=3).counts, draws.counts
    )
    assert (
        draw(match(predictions, protocol, tmp_path), protocol, tmp_path, resamples=3, seed=1).counts != draws.counts
    ).any()


def test_what_is_drawn(tmp_path: Path) -> None:
    predictions, protocol = coco_run(tmp_path)
    draws = draw(match(predictions, protocol, tmp_path), protocol, tmp_path, resamples=400)
    listed = [image["id"] for image in json.loads((tmp_path / "gt.json").read_text())["images"]]
    assert draws.unit == "image"
    assert draws.image_ids.tolist() == sorted(listed)  # includes the image without poses
    assert draws.counts.shape == (400, 12)
    assert (draws.counts.sum(axis=1) == 12).all()
    # For independent draws with replacement from 12 units, the variance of a count is 1 - 1/12.
    assert draws.counts.mean(axis=0) == pytest.approx(np.ones(12), abs=0.2)
    assert draws.counts.var() == pytest.approx(11 / 12, abs=0.1)
    # A partial run is scored on the images that it covers.
    part = protocol.model_copy(update={"limit": 11})
    assert draw(match(predictions, part, tmp_path), part, tmp_path, resamples=1).image_ids.tolist() == sorted(
        listed[1:]
    )


def test_videos_are_drawn(tmp_path: Path) -> None:
    draws = draw_of(jhmdb_run(tmp_path), tmp_path)
    assert draws.unit == "video"
    np.testing.assert_array_equal(draws.unit_of_image, draws.image_ids // 10)
    draws = draw_of(posetrack_run(tmp_path), tmp_path)
    assert draws.unit == "video"
    np.testing.assert_array_equal(draws.unit_of_image, draws.image_ids // 10000)
    assert draws.counts.shape[1] == 3


def test_images_without_a_video(tmp_path: Path) -> None:
    predictions, protocol = jhmdb_run(tmp_path)
    document = json.loads((tmp_path / "jhmdb.json").read_text())
    del document["images"][0]["file_name"]
    write_json(tmp_path / "jhmdb.json", document)
    again = protocol_of(tmp_path, "jhmdb.json", protocol.scoring, 15)
    with pytest.raises(ObtainError, match=r"images\[0\] has no id or file_name: .*jhmdb\.json"):
        draw(match(predictions, again, tmp_path), again, tmp_path)
    strangers = replace(predictions, image_ids=np.full(len(predictions), 77777))
    predictions, protocol = jhmdb_run(tmp_path)
    with pytest.raises(RunError, match=r"predictions in 1 image that .*jhmdb\.json does not have, such as 77777"):
        draw(match(strangers, protocol, tmp_path), protocol, tmp_path)


def test_draws_of_other_images(tmp_path: Path) -> None:
    predictions, protocol = coco_run(tmp_path)
    part = protocol.model_copy(update={"limit": 11})
    draws = draw(match(predictions, part, tmp_path), part, tmp_path, resamples=2)
    with pytest.raises(RunError, match="are scored on other images than those of the draws"):
        resampled_metrics(match(predictions, protocol, tmp_path), draws)
    with pytest.raises(RunError, match="there are no people to score"):
        draw(match(predictions.of_images([]), part, tmp_path), part, tmp_path)


def test_intervals() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1001) / 1000)
    assert interval(values) == pytest.approx((0.025, 0.975))
    assert interval(values, level=0.5) == pytest.approx((0.25, 0.75))
    few = np.where(values < 0.04, np.nan, values)
    assert interval(few) == pytest.approx((0.04 + 0.025 * 0.96, 1 - 0.025 * 0.96), abs=1e-3)
    assert interval(np.where(values < 0.06, np.nan, values)) is None
    assert interval(np.full(10, np.nan)) is None


def test_differences() -> None:
    steps = np.arange(999) / 999
    same = paired_difference(steps, steps)
    assert same is not None
    assert (same.low, same.high, same.p_value) == (0, 0, 1)
    above = paired_difference(steps + 0.01, steps)
    assert above is not None
    assert above.low == pytest.approx(0.01)
    assert above.p_value == 2 / 1000
    # 49 of 999 are not above 0, wherever the baseline lies.
    mixed = paired_difference(0.3 + np.where(np.arange(999) < 49, -0.1, 0.1), np.full(999, 0.3))
    assert mixed is not None
    assert [mixed.low, mixed.high, mixed.p_value] == pytest.approx([-0.1, 0.1, 0.1])
    assert paired_difference(np.full(9, np.nan), np.zeros(9)) is None


def test_intervals_cover_the_true_value() -> None:
    """A short version of simulate_coverage.py. Intervals over frames instead of videos are too narrow."""
    assert coverage(COCO_PROCESS, data_sets=30, resamples=200)["AP"] >= 0.85
    assert coverage(JHMDB_PROCESS, data_sets=60, resamples=200)["PCK(person)"] >= 0.85
    assert coverage(JHMDB_PROCESS, data_sets=60, resamples=200, by_image=True)["PCK(person)"] <= 0.8


def test_a_planted_difference_is_found() -> None:
    """One network is 1 AP worse than two others, which are equally good; 20 data sets of 1,000 images."""
    planted, none = [], []
    for seed in range(20):
        planted.append(difference_of_networks(seed, images=1000, resamples=200, error=ERROR_OF_1_AP).p_value)
        none.append(difference_of_networks(seed, images=1000, resamples=200).p_value)
    assert max(planted) < 0.05
    # At a level of 5 %, one of 20 is expected; more than three have a probability of 1/60.
    assert sum(p_value < 0.05 for p_value in none) <= 3


def test_how_large_the_planted_difference_is() -> None:
    ours, worse = (
        score_oks(found, simulated.OKS, truth)["AP"]
        for found, truth in (
            simulated.coco(np.random.default_rng(0), 20000, network, error)
            for network, error in enumerate([1.0, ERROR_OF_1_AP])
        )
    )
    assert ours is not None
    assert worse is not None
    assert ours - worse == pytest.approx(0.01, abs=0.002)
