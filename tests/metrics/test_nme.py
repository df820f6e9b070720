"""NME compared with MMPose's own, bit for bit, on imperfect predictions, masks and invalid lengths."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import ConfigDict
from mmpose.evaluation.metrics import NME

from harness.datasets.labelled import LabelledPeople
from harness.errors import RunError, SpecError
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.families.nme import PLUGIN, NmeScoring
from harness.metrics.families.nme.read import DEFAULT_INDICES
from harness.metrics.families.nme.score import match_nme
from harness.metrics.family import Labels
from harness.metrics.resample import Draws
from harness.predictions import Predictions
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite

EYES = NmeScoring(norm="keypoint_distance", keypoint_indices=(1, 4))
BOX = NmeScoring(norm="bbox_size")
KEYPOINTS = 7


def faces(rng: np.random.Generator, count: int) -> LabelledPeople:
    """Return people with some unlabelled keypoints: at 0, 0, or with any visibility."""
    keypoints = rng.uniform(20, 400, (count, KEYPOINTS, 2)).astype(np.float32)
    visibility = rng.choice([0, 0.05, 0.4, 1, 2], (count, KEYPOINTS), p=[0.3, 0.1, 0.1, 0.2, 0.3]).astype(np.float32)
    keypoints[(visibility == 0) & (rng.random(visibility.shape) < 0.8)] = 0
    same = rng.random(count) < 0.2
    keypoints[same, 4] = keypoints[same, 1]  # a length of 0
    return LabelledPeople(Path("faces.json"), rng.permutation(count) + 100, keypoints, visibility != 0)


def predicted(rng: np.random.Generator, truth: LabelledPeople, dtype: Any) -> Predictions:
    """Return imperfect predictions of some people, in another order; boxes may be empty or inverted."""
    order = rng.permutation(len(truth.ids))[: max(1, len(truth.ids) - 1)]
    corners = rng.uniform(0, 300, (len(order), 2))
    sides = rng.choice([-12.5, 0, 40, 77.7, 133.1], (len(order), 2))
    moved = truth.keypoints[order] + rng.normal(0, rng.choice([0.5, 8, 90]), (len(order), KEYPOINTS, 2))
    return Predictions(
        person_ids=truth.ids[order],
        image_ids=order // 2,
        boxes=np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        box_scores=np.ones(len(order), np.float32),
        crop_areas=np.ones(len(order), np.float32),
        keypoints=moved.astype(dtype),
        keypoint_scores=np.ones((len(order), KEYPOINTS), np.float32),
    )


def upstream(found: Predictions, truth: LabelledPeople, scoring: NmeScoring) -> float:
    """Return the result of MMPose's class, which gets one person at a time."""
    if scoring.keypoint_indices is None:
        metric = NME(norm_mode="use_norm_item", norm_item="bbox_size")
    else:
        metric = NME(norm_mode="keypoint_distance", keypoint_indices=scoring.keypoint_indices)
    metric.dataset_meta = {"dataset_name": "x", "keypoint_id2name": dict.fromkeys(range(KEYPOINTS), "")}
    rows = {person: row for row, person in enumerate(truth.ids.tolist())}
    for index, person in enumerate(found.person_ids.tolist()):
        labelled = {
            "keypoints": truth.keypoints[rows[person]][None],
            "keypoints_visible": truth.visible[rows[person]][None].astype(np.float32) / 3,
            "bboxes": found.boxes[index : index + 1],
        }
        sample = {"pred_instances": {"keypoints": found.keypoints[index : index + 1]}, "gt_instances": labelled}
        metric.process([], [sample])
    return float(metric.compute_metrics(metric.results)["NME"])


def as_upstream(ours: float | None) -> float:
    """Return our value in MMPose's form: 0 if undefined, in single precision under NumPy 2."""
    value = ours or 0.0
    return value if np.lib.NumpyVersion(np.__version__) < "2.0.0" else float(np.float32(value))


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
    scoring=st.sampled_from([EYES, BOX]),
)
def test_equal_upstream(seed: int, count: int, dtype: Any, scoring: NmeScoring) -> None:
    rng = np.random.default_rng(seed)
    truth = faces(rng, count)
    found = predicted(rng, truth, dtype)
    matched = match_nme(found, scoring, truth)
    ours = matched.stats()["NME"]
    assert as_upstream(ours) == upstream(found, truth, scoring)
    assert (ours is None) == np.isnan(matched.errors).all()


def test_a_large_pool_rounds_as_upstream() -> None:
    """A sum of many numbers in single precision depends on their order and type."""
    rng = np.random.default_rng(5)
    truth = faces(rng, 4000)
    found = predicted(rng, truth, np.float32)
    for scoring in (EYES, BOX):
        ours = match_nme(found, scoring, truth).stats()["NME"]
        assert as_upstream(ours) == upstream(found, truth, scoring)
        assert ours != float(np.nanmean(match_nme(found, scoring, truth).errors.astype(np.float64)))


def three(keypoints: Any, visible: Any) -> LabelledPeople:
    keypoints = np.array(keypoints, np.float32)
    return LabelledPeople(Path("faces.json"), np.arange(len(keypoints)), keypoints, np.array(visible, bool))


def at(truth: LabelledPeople, offset: float, boxes: Any = None) -> Predictions:
    """Return predictions that are all shifted by this many px to the right."""
    count, number = truth.visible.shape
    return Predictions(
        person_ids=truth.ids,
        image_ids=truth.ids,
        boxes=np.tile(np.array([0, 0, 50, 20], np.float32), (count, 1))
        if boxes is None
        else np.array(boxes, np.float32),
        box_scores=np.ones(count, np.float32),
        crop_areas=np.ones(count, np.float32),
        keypoints=truth.keypoints + np.array([offset, 0], np.float32),
        keypoint_scores=np.ones((count, number), np.float32),
    )


PAIR = NmeScoring(norm="keypoint_distance", keypoint_indices=(0, 1))
FACE = [[10, 10], [50, 10], [30, 40]]


@pytest.mark.parametrize(
    ("keypoints", "visible", "expected"),
    [
        (FACE, [1, 1, 1], 4 / 40),
        ([FACE[0], [0, 0], FACE[2]], [1, 0, 1], 4 / np.hypot(10, 10)),  # an unlabelled corner is at 0, 0
        ([[0, 0], [0, 0], FACE[2]], [0, 0, 1], None),  # no corner is labelled: no person is left
        (FACE, [0, 0, 0], None),
    ],
)
def test_eye_corners(keypoints: Any, visible: Any, expected: float | None) -> None:
    truth = three([keypoints], [visible])
    found = match_nme(at(truth, 4), PAIR, truth)
    ours = found.stats()["NME"]
    assert ours is None if expected is None else ours == pytest.approx(expected, rel=1e-6)
    if expected is None:
        assert found.diagnosis(Labels(list("abc"), [1, 0, 2], {})).people == 0


def test_a_pool_of_keypoints_not_a_mean_of_people() -> None:
    truth = three([FACE, FACE], [[1, 1, 1], [1, 0, 0]])
    found = at(truth, 4)
    found.keypoints[1] += 8
    pooled = match_nme(found, PAIR, truth).stats()["NME"]
    assert pooled == pytest.approx((3 * 4 / 40 + np.hypot(12, 8) / 40) / 4)
    by_person = match_nme(found, PAIR.model_copy(update={"mean": "people"}), truth).stats()["NME"]
    assert by_person == pytest.approx((4 / 40 + np.hypot(12, 8) / 40) / 2)


def test_the_longer_side_of_the_box() -> None:
    truth = three([FACE, FACE], [[1, 1, 1], [1, 1, 1]])
    value = match_nme(at(truth, 4, [[5, 5, 15, 25], [0, 0, 0, 0]]), BOX, truth).stats()["NME"]
    assert value == pytest.approx(4 / 20)  # of the first person only: the second has no box


def test_resamples() -> None:
    """A resample's value is the NME of its people, each as often as drawn."""
    rng = np.random.default_rng(3)
    truth = faces(rng, 20)
    found = predicted(rng, truth, np.float32)
    for scoring in (EYES, BOX, EYES.model_copy(update={"mean": "people"})):
        matched = match_nme(found, scoring, truth)
        draws = Draws.of_units("image", matched.image_ids, np.arange(len(matched.image_ids)), 30, 1)
        values = matched.resampled(draws)["NME"]
        for counts, value in zip(draws.counts, values, strict=True):
            times = counts[draws.units_of(found.image_ids)]
            chosen = np.repeat(np.arange(len(found)), times)
            drawn = Predictions(**{name: getattr(found, name)[chosen] for name in found.__dataclass_fields__})
            expected = match_nme(drawn, scoring, truth).stats()["NME"]
            assert expected is not None
            assert value == pytest.approx(expected, rel=1e-6)
    nobody = three([FACE], [[0, 0, 0]])
    matched = match_nme(at(nobody, 1), PAIR, nobody)
    assert np.isnan(matched.resampled(Draws.of_units("image", np.zeros(1, int), np.zeros(1, int), 3, 0))["NME"]).all()


def test_diagnosis(tmp_path: Path) -> None:
    truth = three([FACE] * 3, [[1, 1, 1], [1, 1, 0], [1, 1, 1]])
    found = at(truth, 1)
    found.keypoints[2] = truth.keypoints[2][[1, 0, 2]]  # left and right exchanged
    labels = Labels(["left", "right", "chin"], [1, 0, 2], {0: "a.jpg", 1: "b.jpg", 2: "c.jpg"})
    diagnosis = match_nme(found, PAIR, truth).diagnosis(labels)
    assert diagnosis.metric == "nme"
    assert diagnosis.has_errors
    errors = [keypoint.error for keypoint in diagnosis.keypoints]
    assert errors == pytest.approx([(1 / 40 + 1 / 40 + 1) / 3, (1 / 40 + 1 / 40 + 1) / 3, 1 / 40 / 2])
    assert [keypoint.tally.inversion for keypoint in diagnosis.keypoints] == [1, 1, 0]
    assert diagnosis.worst[0].image == "c.jpg"
    assert len(diagnosis.worst) == 3
    diagnosis.save(tmp_path / "diagnosis.json")
    assert Diagnosis.load(tmp_path / "diagnosis.json") == diagnosis
    (tmp_path / "older.json").write_text(diagnosis.model_dump_json(exclude={"keypoints": {"__all__": {"error"}}}))
    assert not Diagnosis.load(tmp_path / "older.json").has_errors


def test_the_limit_of_found_in_the_diagnosis() -> None:
    truth = three([FACE, FACE], [[1, 1, 1], [1, 1, 1]])
    labels = Labels(list("abc"), [0, 1, 2], {})
    for scoring, limit in ((PAIR, 0.1 * 40), (BOX, 0.05 * 50)):
        near, far = (
            match_nme(at(truth, factor * limit), scoring, truth).diagnosis(labels).tally for factor in (0.99, 1.01)
        )
        assert (near.found, far.found) == (1, 0)


def test_predictions_that_cannot_be_scored() -> None:
    truth = three([FACE] * 3, [[1, 1, 1]] * 3)
    found = at(truth, 1)
    with pytest.raises(RunError, match=r"predictions of 1 person that faces\.json does not have, such as 7"):
        match_nme(replace(found, person_ids=np.array([0, 7, 2])), PAIR, truth)
    with pytest.raises(RunError, match="2 keypoints a person, not 3"):
        match_nme(replace(found, keypoints=found.keypoints[:, :2]), PAIR, truth)
    with pytest.raises(RunError, match="keypoints are not finite"):
        match_nme(replace(found, keypoints=found.keypoints + np.float32(np.nan)), PAIR, truth)
    with pytest.raises(RunError, match="there are no people to score"):
        match_nme(found.where(np.zeros(3, bool)), PAIR, truth)


@pytest.mark.parametrize("mean", ["keypoints", "people"])
def test_somebody_without_a_pose(mean: Literal["keypoints", "people"]) -> None:
    truth = three([FACE] * 3, [[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    scoring, found = BOX.model_copy(update={"mean": mean}), at(truth, 1)
    everybody = match_nme(found, scoring, truth).stats()
    assert match_nme(found, scoring, truth, np.array([True, True, False])).stats() == everybody != {"NME": None}
    assert match_nme(found, scoring, truth, np.array([True, False, True])).stats() == {"NME": None}


def test_of_annotations_that_share_an_id_the_last_counts() -> None:
    truth = three([FACE, FACE, FACE], [[1, 1, 1], [1, 1, 1], [0, 0, 1]])
    truth = replace(truth, ids=np.array([5, 5, 5]))
    assert truth.places(np.array([5, 5])).tolist() == [2, 2]


def read(dataset: str = "WFLWDataset", **evaluator: Any) -> NmeScoring:
    stated = {"type": "NME", "norm_mode": "keypoint_distance"} | evaluator
    boxes = stated.pop("bbox_file", None)
    return PLUGIN.read_scoring(ConfigDict(stated), ConfigDict(type=dataset, bbox_file=boxes), (), lambda *_: None)  # type: ignore[arg-type]


def test_default_indices_are_those_of_mmpose() -> None:
    assert {name: list(pair) for name, pair in DEFAULT_INDICES.items()} == NME.DEFAULT_KEYPOINT_INDICES


@pytest.mark.parametrize(
    ("dataset", "pair"), [("COFWDataset", (8, 9)), ("LapaDataset", (66, 79)), ("Horse10Dataset", (0, 1))]
)
def test_settings(dataset: str, pair: tuple[int, int]) -> None:
    assert read(dataset) == NmeScoring(norm="keypoint_distance", keypoint_indices=pair)
    assert read(dataset, keypoint_indices=[3, 5]) == NmeScoring(norm="keypoint_distance", keypoint_indices=(3, 5))
    assert read(dataset, norm_mode="use_norm_item", norm_item="bbox_size") == BOX


def test_300wlp_has_no_default_and_takes_the_stated_override() -> None:
    with pytest.raises(SpecError) as error:
        read("Face300WLPDataset")
    assert "test_evaluator.keypoint_indices: it is missing" in str(error.value)
    assert "'300wlp'" in str(error.value)
    assert "field: test_evaluator.keypoint_indices, value: [36, 45]" in str(error.value)
    assert read("Face300WLPDataset", keypoint_indices=[36, 45]).keypoint_indices == (36, 45)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"norm_mode": "bbox"}, "test_evaluator.norm_mode: 'bbox' is not supported"),
        ({"norm_mode": "use_norm_item"}, "test_evaluator.norm_item: it is missing"),
        (
            {"norm_mode": "use_norm_item", "norm_item": "box_size"},
            "'box_size' is not supported (did you mean bbox",
        ),
        ({"keypoint_indices": [3]}, "test_evaluator.keypoint_indices: found [3]; it must be two different keypoints"),
        ({"keypoint_indices": [3, 3]}, "two different keypoints"),
        ({"keypoint_indices": [3, 29]}, "from 0 to 28"),
        ({"keypoint_indices": [-1, 3]}, "found [-1, 3]"),
        ({"keypoint_indices": "36"}, "found '36'"),
        ({"keypoint_indices": [1.0, 2]}, "found [1.0, 2]"),
        ({"keypoint_indices": [True, 2]}, "found [True, 2]"),
        ({"bbox_file": "data/boxes.json"}, "test_dataloader.dataset.bbox_file: 'data/boxes.json': NME compares"),
    ],
    ids=str,
)
def test_settings_that_are_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as error:
        read("COFWDataset", **changes)
    assert expected in str(error.value)


def test_300wlp_of_the_suite_needs_its_override() -> None:
    suite = load_suite("300wlp")
    (row,) = suite.rows
    run = next(iter(row.runs.values()))
    scoring = protocol_without_files(load_config(suite, row, run)).scoring
    assert scoring == NmeScoring(norm="keypoint_distance", keypoint_indices=(36, 45))
    bare = row.model_copy(update={"overrides": []})
    with pytest.raises(SpecError, match=r"300wlp.*\.py: config field test_evaluator\.keypoint_indices"):
        protocol_without_files(load_config(suite, bare, run))


def test_what_it_is_mistaken_for() -> None:
    rng = np.random.default_rng(8)
    truth = faces(rng, 30)
    found = predicted(rng, truth, np.float32)
    for scoring, settings_tried in ((EYES, ["mean over", "errors measured by"]), (BOX, ["mean over"])):
        others = list(PLUGIN.alternatives(scoring, "wflw", {}))
        assert [other.setting for other in others] == settings_tried
        for other in others:
            changed = NmeScoring.model_validate(scoring.model_dump() | dict(other.fields))
            assert match_nme(found, changed, truth).stats() != match_nme(found, scoring, truth).stats()
