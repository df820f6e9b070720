"""Predictions to stats, compared with MMPose's CocoMetric."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.metrics.families.oks import OksScoring
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions

from . import cases, upstream
from .measured import score_oks

COCO = OksScoring(sigmas=cases.COCO_SIGMAS, area="annotation")
SCORINGS = [
    COCO,
    OksScoring(sigmas=cases.AIC_SIGMAS, area="box", score_mode="keypoint"),
    OksScoring(sigmas=cases.CROWDPOSE_SIGMAS, area="box", crowd=True),
]


def truth_for(path: Path, scoring: OksScoring) -> Truth:
    return load_truth(path, len(scoring.sigmas), areas=scoring.area == "annotation", crowd=scoring.crowd)


def score(predictions: Predictions, scoring: OksScoring, truth: Truth) -> list[float]:
    return [-1 if value is None else value for value in score_oks(predictions, scoring, truth).values()]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    scoring=st.sampled_from(SCORINGS),
    score_mode=st.sampled_from(["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]),
    nms=st.sampled_from(["oks", "soft-oks", "none"]),
    nms_threshold=st.sampled_from([0.3, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_random_cases(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    scoring: OksScoring,
    score_mode: str,
    nms: str,
    nms_threshold: float,
    dtype: Any,
) -> None:
    scoring = scoring.model_copy(update={"score_mode": score_mode, "nms": nms, "nms_threshold": nms_threshold})
    rng = np.random.default_rng(seed)
    document = cases.annotations(rng, len(scoring.sigmas))
    predictions = cases.predictions(rng, document, len(scoring.sigmas), dtype)
    annotations = upstream.write(tmp_path_factory.getbasetemp() / "gt.json", document)
    ours = score(predictions, scoring, truth_for(annotations, scoring))
    if not len(predictions):
        assert ours[0] in (0, -1)
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        upstream.make_nms_stable(monkeypatch)
        assert ours == upstream.coco_metric(annotations, predictions, scoring)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0.14854453012340563, 0.19695786368339294, 0.14439945991049716]),
        (2, [0.10830875319686598, 0.20282800125500622, 0.09553364015739747]),
    ],
)
def test_published_arithmetic(tmp_path: Path, seed: int, expected: list[float]) -> None:
    """AP, AP@0.5 and AP@0.75 of MMPose's CocoMetric under NumPy 1.26.4, where many keypoints score float32(0.2).

    MMPose gives 0.1317 and 0.1060 instead of the two APs under NumPy 2.5, which compares 0.2 in single precision.
    """
    rng = np.random.default_rng(seed)
    document = cases.annotations(rng, 17, images=40)
    predictions = cases.predictions(rng, document, 17, np.float32)
    scores = predictions.keypoint_scores.copy()
    scores[rng.random(scores.shape) < 0.3] = 0.2
    predictions = replace(predictions, keypoint_scores=scores)
    annotations = upstream.write(tmp_path / "gt.json", document)
    assert score(predictions, COCO, truth_for(annotations, COCO))[:3] == expected
    with pytest.MonkeyPatch.context() as monkeypatch:
        upstream.make_nms_stable(monkeypatch)
        assert upstream.coco_metric(annotations, predictions, COCO)[:3] == expected


@pytest.mark.parametrize(
    ("annotations", "scoring"),
    [
        ("coco/annotations/person_keypoints_val2017.json", COCO),
        ("HumanArt/annotations/validation_humanart.json", COCO),
        ("aic/annotations/aic_val.json", SCORINGS[1]),
        ("crowdpose/annotations/mmpose_crowdpose_test.json", SCORINGS[2]),
    ],
)
@pytest.mark.parametrize("nms", ["oks", "soft-oks"])
def test_annotations(each_samples: Path, annotations: str, scoring: OksScoring, nms: str) -> None:
    """With distinct scores, MMPose's sort is deterministic."""
    path = each_samples / annotations
    scoring = scoring.model_copy(update={"nms": nms})
    truth = truth_for(path, scoring)
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(len(truth.annotation_ids)), 8)
    keypoints = truth.keypoints[people]
    noise = (
        rng.choice([0.01, 0.05, 0.2], (len(people), 1, 1))
        * np.sqrt(truth.boxes[people, 2:].prod(axis=1))[:, None, None]
    )
    boxes = truth.boxes[people]
    predictions = Predictions(
        person_ids=np.arange(len(people)),
        image_ids=truth.annotation_image_ids[people],
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32),
        box_scores=rng.random(len(people), np.float32),
        crop_areas=boxes[:, 2:].prod(axis=1).astype(np.float32) * np.float32(1.5625),
        keypoints=(keypoints[..., :2] + noise * rng.normal(0, 1, (*keypoints.shape[:2], 2))).astype(np.float32),
        keypoint_scores=rng.random(keypoints.shape[:2], np.float32),
    )
    ours = score(predictions, scoring, truth)
    assert ours == upstream.coco_metric(path, predictions, scoring)
    assert 0 < ours[0] < 1


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    document = cases.annotations(np.random.default_rng(0), 17)
    return truth_for(upstream.write(tmp_path / "gt.json", document), COCO)


@pytest.fixture
def predictions(truth: Truth) -> Predictions:
    document = {"images": [{"id": int(image)} for image in truth.image_ids], "annotations": []}
    return cases.predictions(np.random.default_rng(0), document, 17, np.float32)


def test_no_predictions(truth: Truth) -> None:
    nobody = cases.predictions(np.random.default_rng(0), {"images": [], "annotations": []}, 17, np.float32)
    assert score_oks(nobody, COCO, truth)["AP"] == 0


@pytest.mark.parametrize("field", ["keypoints", "keypoint_scores", "boxes", "box_scores", "crop_areas"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(truth: Truth, predictions: Predictions, field: str, value: float) -> None:
    broken = getattr(predictions, field).copy()
    broken[3] = value
    with pytest.raises(RunError, match=f"the {field} of 1 person are not finite, the first at index 3"):
        score_oks(replace(predictions, **{field: broken}), COCO, truth)


def test_predictions_in_unknown_images(truth: Truth, predictions: Predictions) -> None:
    with pytest.raises(RunError, match=r"predictions in 1 image that .*gt\.json does not have, such as 12345"):
        score_oks(replace(predictions, image_ids=np.full(len(predictions), 12345)), COCO, truth)


def test_other_number_of_keypoints(truth: Truth, predictions: Predictions) -> None:
    with pytest.raises(RunError, match="17 keypoints a person, but the protocol has 14 sigmas"):
        score_oks(predictions, SCORINGS[1], truth)


def test_truth_without_what_the_protocol_needs(truth: Truth, predictions: Predictions) -> None:
    with pytest.raises(RunError, match=r"gt\.json: the protocol needs the 'area' of every annotation"):
        score_oks(predictions, COCO, replace(truth, areas=np.full_like(truth.areas, np.nan)))
    with pytest.raises(RunError, match=r"gt\.json: the protocol needs 'crowdIndex' and 'num_keypoints'"):
        score_oks(
            predictions,
            COCO.model_copy(update={"crowd": True}),
            replace(truth, crowd_indices=np.full_like(truth.crowd_indices, np.nan)),
        )
