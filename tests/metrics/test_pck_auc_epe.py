"""PCK, AUC and EPE compared with MMPose's PCKAccuracy, AUC and EPE."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpose.evaluation.metrics import AUC, EPE, PCKAccuracy
from scipy.io import savemat

from harness.datasets.lookup import dataset_class
from harness.errors import ObtainError, RunError
from harness.metrics.families.pck import PLUGIN, PckScoring
from harness.metrics.families.pck.score import match_pck
from harness.metrics.families.pck.truth import PckTruth, load_pck_truth
from harness.metrics.family import Labels, TruthFiles
from harness.metrics.match import difference
from harness.metrics.resample import Draws
from harness.predictions import Predictions

from .upstream import write

ALL = PckScoring(threshold=0.2, norms=("bbox",), auc_norm=30, auc_thresholds=20, epe=True)
COUNTS = (4, 5, 6, 15, 21, 39, 294)
VISIBILITIES = (0, 0, 0.041, 0.375, 1, 2)


def random_truth(rng: np.random.Generator, people: int, count: int) -> tuple[PckTruth, Any]:
    """Return people and their visibility in MMPose's form: sides of 0 and below, short torsos, hidden keypoints."""
    corners = rng.uniform(0, 100, (people, 2))
    sides = np.where(rng.random((people, 2)) < 0.7, rng.uniform(1, 300, (people, 2)), rng.choice([0, -1, -40, 50]))
    keypoints = rng.uniform(0, 300, (people, count, 2)).astype(np.float32)
    if count > 5:
        short = rng.random(people) < 0.2
        keypoints[short, 5] = keypoints[short, 4] + np.float32(0.3)
    occurs = rng.random(count) < rng.choice([0, 0.3, 1])
    visibility = np.minimum(1, rng.choice(VISIBILITIES, (people, count)) * occurs).astype(np.float32)
    heads = np.where(rng.random(people) < 0.8, rng.uniform(5, 50, people), 0)
    truth = PckTruth(
        path=Path("val.json"),
        ids=np.arange(people)[::-1] + 70,
        image_ids=np.sort(rng.integers(0, 4, people)),
        boxes=np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        keypoints=keypoints,
        labelled=visibility != 0,
        head_sizes=heads,
    )
    return truth, visibility


def predicted(truth: PckTruth, keypoints: Any) -> Predictions:
    return Predictions(
        person_ids=truth.ids,
        image_ids=truth.image_ids,
        boxes=truth.boxes,
        box_scores=np.ones(len(truth.ids), np.float32),
        crop_areas=np.ones(len(truth.ids), np.float32),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2], np.float32),
    )


def evaluators(scoring: PckScoring) -> list[Any]:
    """Return MMPose's evaluators of a scoring."""
    pck = [PCKAccuracy(thr=scoring.threshold, norm_item=list(scoring.norms))] if scoring.norms else []
    auc = [AUC(norm_factor=scoring.auc_norm, num_thrs=scoring.auc_thresholds)] if scoring.auc_norm else []
    return [*pck, *auc, *([EPE()] if scoring.epe else [])]


def upstream(truth: PckTruth, visibility: Any, keypoints: Any, scoring: PckScoring) -> dict[str, float]:
    """Return the results of MMPose's evaluators, under our names."""
    found: dict[str, float] = {}
    for metric in evaluators(scoring):
        for place in range(len(truth.ids)):
            instances = {
                "keypoints": truth.keypoints[place : place + 1],
                "keypoints_visible": visibility[place : place + 1],
                "bboxes": truth.boxes[place : place + 1],
                "head_size": None if truth.head_sizes is None else truth.head_sizes[place].reshape(1, -1),
            }
            pose = {"keypoints": keypoints[place : place + 1]}
            metric.process([], [{"pred_instances": pose, "gt_instances": instances}])
        values = metric.compute_metrics(metric.results)
        found |= {PLUGIN.our_name(name, scoring): float(value) for name, value in values.items()}
    return found


SCORINGS = st.builds(
    PckScoring,
    threshold=st.sampled_from([0.05, 0.2, 0.5]),
    norms=st.sampled_from([("bbox",), ("torso",), ("head",), ("bbox", "torso"), ("bbox", "head", "torso")]),
    auc_norm=st.sampled_from([30, 17.5, 120]),
    auc_thresholds=st.sampled_from([20, 1, 7]),
    epe=st.just(True),
)


@pytest.mark.filterwarnings("ignore:Ground truth torso size")
@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([np.float32, np.float64]),
    scoring=SCORINGS,
    people=st.sampled_from([1, 2, 7, 30]),
    count=st.sampled_from(COUNTS),
)
def test_random_cases(seed: int, dtype: Any, scoring: PckScoring, people: int, count: int) -> None:
    if count < 6:
        scoring = scoring.model_copy(update={"norms": ("bbox",)})
    rng = np.random.default_rng(seed)
    truth, visibility = random_truth(rng, people, count)
    noise = rng.normal(0, rng.choice([0, 3, 20, 200]), truth.keypoints.shape)
    keypoints = (truth.keypoints + noise * (rng.random(noise.shape[:2]) < 0.7)[..., None]).astype(dtype)
    ours = match_pck(predicted(truth, keypoints), scoring, truth).stats()
    theirs = upstream(truth, visibility, keypoints, scoring)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        if value is None:  # MMPose gives 0 if no keypoint counts
            assert theirs[name] == 0
            counted = truth.labelled.any(axis=1) & (truth.head_sizes != 0 if name.startswith("PCKh") else True)
            assert name.startswith("PCK") or not counted.any()
        elif name == "EPE":
            # NumPy 2 rounds MMPose's quotient to single precision, NumPy 1 does not.
            assert value == (theirs[name] if np.__version__ < "2" else pytest.approx(theirs[name], rel=1e-6))
        else:
            assert value == pytest.approx(theirs[name], abs=1e-12), name


def people_of(keypoints: Any, labelled: Any, side: float = 100) -> PckTruth:
    count = len(keypoints)
    return PckTruth(
        path=Path("val.json"),
        ids=np.arange(count),
        image_ids=np.arange(count),
        boxes=np.tile(np.array([0, 0, side, side / 2], np.float32), (count, 1)),
        keypoints=np.array(keypoints, np.float32),
        labelled=np.array(labelled, bool),
        head_sizes=None,
    )


def test_a_perfect_prediction_has_an_auc_below_1() -> None:
    truth = people_of(np.full((3, 4, 2), 9.0), np.ones((3, 4)))
    stats = match_pck(predicted(truth, truth.keypoints), ALL, truth).stats()
    assert stats == {"PCK@0.2": 1.0, "AUC": pytest.approx(0.95), "EPE": 0.0}


def test_pck_is_a_mean_over_keypoints_and_epe_over_all_labels() -> None:
    """The second keypoint is labelled once, the fourth never."""
    labelled = [[1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0]]
    truth = people_of(np.zeros((4, 4, 2)), labelled)
    keypoints = np.zeros((4, 4, 2), np.float32)
    keypoints[0, 1, 0] = 90
    keypoints[3, 2, 1] = 9
    stats = match_pck(predicted(truth, keypoints), ALL, truth).stats()
    assert stats["PCK@0.2"] == pytest.approx((1 + 0 + 1) / 3)
    assert stats["EPE"] == pytest.approx((90 + 9) / 9)
    # Of AUC's thresholds 0, 1.5, ... 28.5 px, 13 are above 9 px and 19 above 0.
    assert stats["AUC"] == pytest.approx((19 / 20 + 0 + (3 * 19 + 13) / 80) / 3)


def test_at_the_threshold_a_keypoint_is_missed() -> None:
    truth = people_of(np.zeros((1, 4, 2)), np.ones((1, 4)), side=50)
    keypoints = np.zeros((1, 4, 2), np.float32)
    keypoints[0, :, 0] = 10, np.nextafter(np.float32(10), np.float32(0)), 3, 3.01
    stats = match_pck(predicted(truth, keypoints), ALL, truth).stats()
    assert stats["PCK@0.2"] == 0.75
    assert stats["AUC"] == pytest.approx((13 + 13 + 17 + 17) / 80)  # 10 is between steps; 3 px is one, 0.1 x 30


def test_nobody_has_a_labelled_keypoint() -> None:
    truth = people_of(np.ones((2, 5, 2)), np.zeros((2, 5)))
    matched = match_pck(predicted(truth, truth.keypoints), ALL, truth)
    assert matched.stats() == {"PCK@0.2": None, "AUC": None, "EPE": None}
    draws = Draws.of_units("image", matched.image_ids, np.arange(2), 5, 0)
    assert all(np.isnan(values).all() for values in matched.resampled(draws).values())


@pytest.mark.filterwarnings("ignore:Ground truth torso size")
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), scoring=SCORINGS)
def test_resamples_are_the_metrics_of_repeated_images(seed: int, scoring: PckScoring) -> None:
    rng = np.random.default_rng(seed)
    truth, _ = random_truth(rng, 12, 7)
    keypoints = truth.keypoints + rng.normal(0, 15, truth.keypoints.shape)
    matched = match_pck(predicted(truth, keypoints), scoring, truth)
    draws = Draws.of_units("image", matched.image_ids, np.arange(len(matched.image_ids)), 4, seed)
    resampled = matched.resampled(draws)
    assert list(resampled) == list(matched.stats())
    for number, counts in enumerate(draws.counts):
        rows = np.repeat(np.arange(12), counts[draws.units_of(truth.image_ids)])
        repeated = {field.name: getattr(truth, field.name) for field in fields(truth)}
        repeated |= {name: values[rows] for name, values in repeated.items() if name != "path"}
        many = PckTruth(**repeated | {"ids": np.arange(len(rows))})
        expected = match_pck(predicted(many, keypoints[rows]), scoring, many).stats()
        for name, value in expected.items():
            assert resampled[name][number] == pytest.approx(np.nan if value is None else value, rel=1e-6, nan_ok=True)


def test_somebody_without_a_pose() -> None:
    truth = people_of(np.full((4, 5, 2), 20.0), np.ones((4, 5)))
    found = predicted(truth, truth.keypoints.copy())
    posed = np.array([True, False, True, True])
    stats = match_pck(found, ALL, truth, posed).stats()
    assert stats == {"PCK@0.2": pytest.approx(0.75), "AUC": pytest.approx(0.95 * 0.75), "EPE": None}
    # A person without labelled keypoints is not missed.
    truth = people_of(np.full((4, 5, 2), 20.0), [[1] * 5, [0] * 5, [1] * 5, [1] * 5])
    assert match_pck(found, ALL, truth, posed).stats()["EPE"] == 0


def test_px_differ_by_a_part_of_the_value() -> None:
    assert difference(0.25, 0.75) == 0.5
    assert difference(100.0, 50.0) == 0.5
    assert difference(None, None) == 0
    assert difference(None, 100.0) == 1


def test_the_torso_needs_six_keypoints() -> None:
    truth = people_of(np.zeros((2, 5, 2)), np.ones((2, 5)))
    torso = PckScoring(threshold=0.2, norms=("torso",))
    with pytest.raises(RunError, match=r"val\.json: 5 keypoints, but the torso is between keypoints 4 and 5"):
        match_pck(predicted(truth, truth.keypoints), torso, truth)


def test_people_who_cannot_be_scored() -> None:
    truth = people_of(np.zeros((2, 5, 2)), np.ones((2, 5)))
    found = predicted(truth, truth.keypoints)
    with pytest.raises(RunError, match=r"predictions of 1 person that val\.json does not have, such as 9"):
        match_pck(replace(found, person_ids=np.array([0, 9])), ALL, truth)
    with pytest.raises(RunError, match="4 keypoints a person, not 5"):
        match_pck(replace(found, keypoints=found.keypoints[:, :4]), ALL, truth)


@pytest.mark.parametrize(
    ("scoring", "within"),
    [
        (ALL, 20.0),
        (PckScoring(threshold=0.05, norms=("bbox",)), 5.0),
        (PckScoring(auc_norm=30, auc_thresholds=20), 30.0),
        (PckScoring(epe=True), 20.0),
    ],
)
def test_diagnosis(scoring: PckScoring, within: float) -> None:
    """A keypoint is found up to the metric's threshold, or AUC's px; unlabelled ones have no share."""
    count = 8
    keypoints = np.random.default_rng(0).uniform(40, 90, (6, count, 2)).round()
    labelled = np.ones((6, count))
    labelled[:, 7] = 0
    truth = people_of(keypoints, labelled)
    found = truth.keypoints.copy()
    found[0, 0, 0] += within - 0.1
    found[1, 1, 0] += within + 0.1
    names = [f"point {number}" for number in range(count)]
    matched = match_pck(predicted(truth, found), scoring, truth)
    diagnosis = matched.diagnosis(Labels(names, range(count), {image: f"{image}.jpg" for image in range(6)}))
    assert diagnosis.metric == "pck"
    tallies = [keypoint.tally for keypoint in diagnosis.keypoints]
    assert [tally.labelled for tally in tallies] == [6] * 7 + [0]
    assert [tally.found for tally in tallies] == [1, pytest.approx(5 / 6), 1, 1, 1, 1, 1, None]
    assert (tallies[0].good, tallies[0].jitter) == (5, 1)
    if scoring.threshold:
        found_shares = [tally.found for tally in tallies if tally.found is not None]
        assert matched.stats()[f"PCK@{scoring.threshold}"] == pytest.approx(np.mean(found_shares))


# Files


def document(rng: np.random.Generator) -> dict[str, Any]:
    """Return annotations of six people in three images: boxes beyond the edge, one crowd, one without keypoints."""
    people = []
    for number in range(6):
        x, y = rng.uniform(-20, 60, 2)
        points = np.column_stack([rng.uniform(1, 90, (5, 2)), rng.choice(VISIBILITIES, 5)])
        if number == 4:
            points[:] = 0
        people.append(
            {
                "id": 30 - number,
                "image_id": number // 2,
                "category_id": 1,
                "iscrowd": int(number == 5),
                "bbox": [float(x), float(y), 70.0, 55.5],
                "keypoints": points.ravel().tolist(),
            }
        )
    images = [{"id": image, "file_name": f"{image}.jpg", "width": 100, "height": 80} for image in range(3)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "hand"}]}


def source(path: Path, dataset: str, count: int, **files: Path) -> TruthFiles:
    return TruthFiles(path, tuple(files.items()), dataset, count, frozenset())


def test_people_have_the_boxes_and_labels_of_the_data_set_class(tmp_path: Path) -> None:
    content = document(np.random.default_rng(0))
    truth = load_pck_truth(source(write(tmp_path / "val.json", content), "OneHand10KDataset", 5))
    assert truth.ids.tolist() == [30, 29, 28, 27]
    for place, person in enumerate(content["annotations"][:4]):
        x, y, width, height = person["bbox"]
        corners = [max(x, 0), max(y, 0), min(x + width, 99), min(y + height, 79)]
        np.testing.assert_allclose(truth.boxes[place], corners, rtol=1e-6)
        points = np.array(person["keypoints"]).reshape(-1, 3)
        np.testing.assert_array_equal(truth.keypoints[place], points[:, :2].astype(np.float32))
        np.testing.assert_array_equal(truth.labelled[place], points[:, 2] > 0)
    assert 0 < truth.labelled.mean() < 1
    assert any(0 < value < 1 for person in content["annotations"] for value in person["keypoints"][2::3])


def test_other_keypoints_than_the_configs(tmp_path: Path) -> None:
    path = write(tmp_path / "val.json", document(np.random.default_rng(0)))
    with pytest.raises(ObtainError, match=r"val\.json: annotation 30: keypoints must hold 63 finite numbers"):
        load_pck_truth(source(path, "OneHand10KDataset", 21))


def test_mpii_without_people_has_no_labels(tmp_path: Path) -> None:
    labelled = dataset_class("MpiiDataset").labelled(write(tmp_path / "mpii_val.json", []), 16)
    assert (len(labelled.ids), labelled.keypoints.shape, labelled.visible.shape) == (0, (0, 16, 2), (0, 16))


def test_mpii_has_sizes_of_heads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = [
        {
            "image": f"{number}.jpg",
            "center": [50.0, 60.0],
            "scale": 1.5,
            "joints": rng.uniform(1, 90, (16, 2)).tolist(),
            "joints_vis": rng.choice([0, 1], 16).tolist(),
        }
        for number in range(3)
    ]
    path = write(tmp_path / "mpii_val.json", people)
    savemat(tmp_path / "heads.mat", {"headboxes_src": rng.uniform(0, 50, (2, 2, 3))})
    truth = load_pck_truth(source(path, "MpiiDataset", 16, headboxes=tmp_path / "heads.mat"))
    assert truth.head_sizes is not None
    np.testing.assert_array_equal(truth.keypoints[1], np.array(people[1]["joints"], np.float32))
    scoring = PckScoring(threshold=0.5, norms=("head",))
    found = truth.keypoints + rng.normal(0, 20, truth.keypoints.shape)
    ours = match_pck(predicted(truth, found), scoring, truth).stats()
    assert ours == pytest.approx(upstream(truth, truth.labelled, found, scoring))
    assert list(ours) == ["PCKh@0.5"]
    savemat(tmp_path / "heads.mat", {"headboxes_src": rng.uniform(0, 50, (2, 2, 4))})
    with pytest.raises(ObtainError, match=r"heads\.mat: head boxes of 4 people, but .*mpii_val\.json has 3"):
        load_pck_truth(source(path, "MpiiDataset", 16, headboxes=tmp_path / "heads.mat"))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("PCK@0.2", True),
        ("PCK@0.05", True),
        ("PCK@0.123", True),
        ("PCK(torso)@0.1", True),
        ("PCKh@0.7", True),
        ("AUC", True),
        ("PCK", False),
        ("PCK@", False),
        ("PCK@x", False),
        ("PCK(head)@0.2", False),
    ],
)
def test_any_threshold_has_a_measure(name: str, known: bool) -> None:
    measure = PLUGIN.measure(name)
    assert (measure is not None) == known
    assert measure is None or (measure.unit, measure.better) == ("fraction", "higher")
    epe = PLUGIN.measure("EPE")
    assert epe is not None
    assert (epe.unit, epe.better) == ("px", "lower")
