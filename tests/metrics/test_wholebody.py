"""Whole-body AP by part, compared with MMPose's CocoWholeBodyMetric and the output of xtcocotools."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ObtainError, RunError
from harness.metrics.families.wholebody import PLUGIN, WholeBodyScoring
from harness.metrics.families.wholebody.score import match_wholebody
from harness.metrics.families.wholebody.truth import load_wholebody
from harness.metrics.family import Labels, Metrics
from harness.predictions import Predictions

from . import cases, upstream
from .test_resample import assert_same, draws_of, repeat, repeat_document
from .wholebody_cases import COCO_WHOLEBODY, FIELDS, annotations, joined

EVALUATIONS = {
    "body": "body",
    "foot": "foot",
    "face": "face",
    "lefthand": "lefthand",
    "righthand": "righthand",
    "whole": "wholebody",
}


def score(path: Path, predictions: Predictions, scoring: WholeBodyScoring) -> Metrics:
    truth = load_wholebody(path, areas=scoring.area == "annotation")
    return match_wholebody(predictions, scoring, truth).stats()


def expected(printed: dict[str, list[float]], returned: dict[str, float]) -> Metrics:
    """Return MMPose's stats under our names; -1 is undefined."""
    stats: dict[str, float] = {}
    for part, evaluation in EVALUATIONS.items():
        stats[f"AP({part})"], stats[f"AR({part})"] = printed[evaluation][0], printed[evaluation][5]
    for mean in ("AP", "AR"):
        hands = stats[f"{mean}(lefthand)"], stats[f"{mean}(righthand)"]
        stats[f"{mean}(hand)"] = -1 if -1 in hands else (hands[0] + hands[1]) / 2
    stats |= {PLUGIN.upstream_names[name]: value for name, value in returned.items()}
    return {name: None if value == -1 else value for name, value in stats.items()}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    area=st.sampled_from(["annotation", "box"]),
    score_mode=st.sampled_from(["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]),
    nms=st.sampled_from(["oks", "soft-oks", "none"]),
    nms_threshold=st.sampled_from([0.3, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_random_cases(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    area: str,
    score_mode: str,
    nms: str,
    nms_threshold: float,
    dtype: Any,
) -> None:
    settings = {"area": area, "score_mode": score_mode, "nms": nms, "nms_threshold": nms_threshold}
    scoring = COCO_WHOLEBODY.model_copy(update=settings)
    rng = np.random.default_rng(seed)
    document = annotations(rng)
    predictions = cases.predictions(rng, joined(document), 133, dtype)
    path = upstream.write(tmp_path_factory.getbasetemp() / "wholebody.json", document)
    ours = score(path, predictions, scoring)
    if not len(predictions):
        assert set(ours.values()) <= {0, None}
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        upstream.make_nms_stable(monkeypatch)
        returned, printed = upstream.wholebody_metric(path, predictions, scoring)
    assert ours == expected(printed, returned)


def one_person(**changes: Any) -> dict[str, Any]:
    """Return a document of one person in one image, with all keypoints 10 px apart."""
    points = np.stack([np.arange(133) % 12 * 10 + 100, np.arange(133) // 12 * 10 + 100, np.full(133, 2)], axis=1)
    person: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [90, 90, 140, 140], "area": 10000.0}
    person |= {"num_keypoints": 17, "iscrowd": 0}
    person |= {f"{part}_valid": True for part in ("face", "lefthand", "righthand", "foot")}
    start = 0
    for field, count in FIELDS.items():
        person[field] = points[start : start + count].ravel().tolist()
        start += count
    images = [{"id": 1, "width": 640, "height": 480, "file_name": "1.jpg"}]
    return {"images": images, "annotations": [person | changes], "categories": [{"id": 1, "name": "person"}]}


def as_annotated(document: dict[str, Any], **changes: Any) -> Predictions:
    """Return predictions that equal the annotated keypoints."""
    people = joined(document)["annotations"]
    points = np.array([person["keypoints"] for person in people]).reshape(-1, 133, 3)
    boxes = np.array([person["bbox"] for person in people], np.float32)
    found = Predictions(
        person_ids=np.arange(len(people)),
        image_ids=np.array([person["image_id"] for person in people]),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        box_scores=np.ones(len(people), np.float32),
        crop_areas=np.full(len(people), 1e4, np.float32),
        keypoints=points[..., :2],
        keypoint_scores=np.ones(points.shape[:2], np.float32),
    )
    return replace(found, **changes)


@pytest.mark.parametrize("field", FIELDS)
def test_a_part_that_nobody_has(tmp_path: Path, field: str) -> None:
    document = one_person(**{field: [0] * (3 * FIELDS[field])})
    stats = score(upstream.write(tmp_path / "gt.json", document), as_annotated(document), COCO_WHOLEBODY)
    part = "body" if field == "keypoints" else field.removesuffix("_kpts")
    undefined = {name for name, value in stats.items() if value is None}
    hand = {"AP(hand)", "AR(hand)"} if part.endswith("hand") else set()
    assert undefined == {f"AP({part})", f"AR({part})", "AP(whole, M)", "AR(whole, M)"} | hand


def test_who_is_found_by_one_hand_only(tmp_path: Path) -> None:
    """The hand value is the mean of left and right, not an evaluation of 42 keypoints, which would find no person."""
    document = one_person()
    predictions = as_annotated(document)
    points = predictions.keypoints.copy()
    points[:, 91:112] += 500
    stats = score(
        upstream.write(tmp_path / "gt.json", document), replace(predictions, keypoints=points), COCO_WHOLEBODY
    )
    assert [stats[f"AP({hand})"] for hand in ("lefthand", "righthand", "hand")] == pytest.approx([0, 1, 0.5])
    assert stats["AP(face)"] == pytest.approx(1)
    assert stats["AR(hand)"] == 0.5


def test_flags_of_parts_are_not_read(tmp_path: Path) -> None:
    document = one_person(**{f"{part}_valid": False for part in ("face", "lefthand", "righthand", "foot")})
    stats = score(upstream.write(tmp_path / "gt.json", document), as_annotated(document), COCO_WHOLEBODY)
    assert [stats[f"AR({part})"] for part in ("face", "hand", "foot", "body", "whole")] == [1] * 5


def test_any_visibility_above_0_is_labelled(tmp_path: Path) -> None:
    document = one_person()
    (person,) = document["annotations"]
    person["righthand_kpts"][2::3] = [0.041] * 21
    predictions = as_annotated(document)
    path = upstream.write(tmp_path / "gt.json", document)
    assert score(path, predictions, COCO_WHOLEBODY)["AR(righthand)"] == 1


def test_scores_of_all_keypoints_rank_poses_of_each_part(tmp_path: Path) -> None:
    """The better face has the lower whole-body score, so another person's face is ranked first and is wrong."""
    document = one_person()
    found = as_annotated(document)
    points = np.concatenate([found.keypoints, found.keypoints + 300])
    scores = np.full((2, 133), 0.1, np.float32)  # keypoints with a score of 0.1 do not count
    scores[0, :10], scores[1, :10] = 0.5, 0.9
    scores[0, 23:91] = 0.15
    two = Predictions(
        **{
            name: np.concatenate([value, value])
            for name, value in vars(found).items()
            if name not in ("keypoints", "keypoint_scores", "person_ids")
        },
        keypoints=points,
        keypoint_scores=scores,
        person_ids=np.arange(2),
    )
    path = upstream.write(tmp_path / "gt.json", document)
    stats = score(path, two, COCO_WHOLEBODY)
    returned, printed = upstream.wholebody_metric(path, two, COCO_WHOLEBODY)
    assert stats == expected(printed, returned)
    assert stats["AP(face)"] == pytest.approx(0.5, abs=0.01)


def test_errors(tmp_path: Path) -> None:
    document = one_person()
    path = upstream.write(tmp_path / "gt.json", document)
    found = as_annotated(document)
    with pytest.raises(RunError, match="predictions: 17 keypoints a person, but the protocol has 133 sigmas"):
        score(path, replace(found, keypoints=found.keypoints[:, :17]), COCO_WHOLEBODY)
    for field, value, message in (
        ("foot_kpts", None, r"'foot_kpts' of 1 in 'annotations' is missing"),
        ("face_kpts", [0] * 10, r"'face_kpts' of 1 in 'annotations' must hold 204 numbers, not 10 values"),
        ("lefthand_kpts", "none", r"'lefthand_kpts' of 1 in 'annotations' must hold 63 numbers, not 'none'"),
        ("num_keypoints", None, r"'num_keypoints' of 1 in 'annotations' is missing"),
        ("area", None, r"'area' of 1 in 'annotations' is missing"),
        ("category_id", 2, r"'category_id' of 1 in 'annotations' is 2, but MMPose's CocoWholeBodyMetric writes"),
    ):
        broken = one_person()
        if value is None:
            del broken["annotations"][0][field]
        else:
            broken["annotations"][0][field] = value
        with pytest.raises(ObtainError, match=message):
            score(upstream.write(tmp_path / "broken.json", broken), found, COCO_WHOLEBODY)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_resamples_against_mmpose_on_repeated_images(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    document = annotations(rng)
    predictions = cases.predictions(rng, joined(document), 133, np.float32)
    truth = load_wholebody(upstream.write(tmp_path_factory.getbasetemp() / "gt.json", document), areas=True)
    draws = draws_of(truth.image_ids, resamples=2, seed=seed)
    resampled = match_wholebody(predictions, COCO_WHOLEBODY, truth).resampled(draws)
    for resample in range(len(draws.counts)):
        repeated = repeat(predictions, draws, resample)
        if not len(repeated):
            continue
        path = upstream.write(
            tmp_path_factory.getbasetemp() / "repeated.json", repeat_document(document, draws, resample)
        )
        with pytest.MonkeyPatch.context() as monkeypatch:
            upstream.make_nms_stable(monkeypatch)
            returned, printed = upstream.wholebody_metric(path, repeated, COCO_WHOLEBODY)
        stats = expected(printed, returned)
        assert_same(resampled, resample, {name: stats[name] for name in resampled})


def test_diagnosis(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    document = annotations(rng, images=20)
    predictions = cases.predictions(rng, joined(document), 133, np.float32)
    truth = load_wholebody(upstream.write(tmp_path / "gt.json", document), areas=True)
    matched = match_wholebody(predictions, COCO_WHOLEBODY, truth)
    stats = matched.stats()
    names = [str(number) for number in range(133)]
    found = matched.diagnosis(Labels(names, range(133), {}))
    assert found.metric == "wholebody"
    assert found.oks is not None
    assert found.oks.ap == stats["AP(whole)"]
    by_part, *others = found.breakdowns
    assert by_part.by == "part"
    assert others[0].by == "size"
    assert [group.name for group in by_part.groups] == ["body", "foot", "face", "lefthand", "righthand"]
    for group in by_part.groups:
        people = sum(
            bool(np.array(person["keypoints" if group.name == "body" else f"{group.name}_kpts"])[2::3].any())
            and not person.get("iscrowd")
            for person in document["annotations"]
        )
        assert group.people == people
        assert group.recall == stats[f"AR({group.name})"]
        assert group.missed is not None
        assert 0 <= group.missed <= group.people
        # As in COCO: recall at OKS 0.5 is the share of people found.
        recall = matched.parts[group.name].stats()["AR@0.5"]
        assert recall == (pytest.approx(1 - group.missed / people) if people else None)
    assert sum(group.tally.labelled for group in by_part.groups) == found.tally.labelled
    for part, precision in found.parts.items():
        assert np.mean(precision) == pytest.approx(stats[f"AP({part})"], abs=1e-6)
    titles = [chart.title for chart in PLUGIN.charts(found)]
    assert titles == ["Precision and recall", "Precision and recall by part", "Gain of AP by correction"]
