"""AP-10K's AP, the mean over species, compared with MMPose's CocoMetric; and the scores of MMPose's samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.families.oks import OksScoring
from harness.metrics.resample import Draws
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions
from harness.suites.metainfo import read_metainfo

from . import cases, upstream
from .measured import diagnose_oks, resample_oks, score_oks
from .test_resample import assert_same, repeat, repeat_document

AP10K = OksScoring(sigmas=read_metainfo({"type": "AP10KDataset"}).sigmas, area="annotation")
NAMES = ["AP", "AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.5", "AR@0.75", "AR(M)", "AR(L)"]


def animals(rng: np.random.Generator, images: int = 6) -> dict[str, Any]:
    """Return annotations of several species, most of which have no animal, as in AP-10K's files."""
    document = cases.annotations(rng, len(AP10K.sigmas), images)
    for one in document["annotations"]:
        one["category_id"] = int(rng.choice([2, 3, 26, 51]))
    document["categories"] = [{"id": number, "name": f"species {number}"} for number in range(1, 55)]
    return document


def poses(rng: np.random.Generator, truth: Truth) -> Predictions:
    """Return a pose for most annotations, in their boxes; sometimes the pose of another animal of the image."""
    rows = np.flatnonzero(rng.random(len(truth.annotation_ids)) < 0.9)
    images = truth.annotation_image_ids
    others = [int(rng.choice(np.flatnonzero(images == images[row]))) for row in rows]
    posed = np.where(rng.random(len(rows)) < 0.3, others, rows)
    points = truth.keypoints[posed, :, :2]
    spread = rng.choice([0, 1, 5, 20], (len(rows), 1, 1))
    boxes = truth.boxes[rows]
    return Predictions(
        person_ids=truth.annotation_ids[rows],
        image_ids=images[rows],
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32),
        box_scores=np.ones(len(rows), np.float32),
        crop_areas=rng.uniform(500, 50000, len(rows)).astype(np.float32),
        keypoints=(points + spread * rng.normal(size=points.shape)).astype(np.float32),
        keypoint_scores=rng.uniform(0, 1, points.shape[:2]).astype(np.float32),
    )


def categories(truth: Truth, predictions: Predictions) -> Any:
    of = dict(zip(truth.annotation_ids.tolist(), truth.categories.tolist(), strict=True))
    return np.array([of[person] for person in predictions.person_ids.tolist()])


def score(predictions: Predictions, truth: Truth) -> list[float]:
    stats = score_oks(predictions, AP10K, truth)
    assert list(stats) == NAMES
    return [-1 if value is None else value for value in stats.values()]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_animals(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    annotations = upstream.write(tmp_path_factory.getbasetemp() / "ap10k.json", animals(rng))
    truth = load_truth(annotations, len(AP10K.sigmas), areas=True)
    predictions = poses(rng, truth)
    if not len(predictions):
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        upstream.make_nms_stable(monkeypatch)
        expected = upstream.coco_metric(annotations, predictions, AP10K, categories(truth, predictions))
    assert score(predictions, truth) == expected


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_animals_on_repeated_images(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Species that are missing in a resample are not part of its mean."""
    rng = np.random.default_rng(seed)
    document = animals(rng)
    folder = tmp_path_factory.getbasetemp()
    truth = load_truth(upstream.write(folder / "ap10k.json", document), len(AP10K.sigmas), areas=True)
    predictions = poses(rng, truth)
    ids = np.unique(truth.image_ids)
    draws = Draws.of_units("image", ids, np.arange(len(ids)), 4, seed)
    resampled = resample_oks(predictions, AP10K, truth, draws)
    for resample in range(len(draws.counts)):
        repeated = repeat(predictions, draws, resample)
        if not len(repeated):
            continue
        annotations = upstream.write(folder / "repeated.json", repeat_document(document, draws, resample))
        with pytest.MonkeyPatch.context() as monkeypatch:
            upstream.make_nms_stable(monkeypatch)
            stats = upstream.coco_metric(annotations, repeated, AP10K, categories(truth, repeated))
        expected = dict(zip(NAMES, [None if value == -1 else value for value in stats], strict=True))
        assert_same(resampled, resample, expected)


def diagnosed(predictions: Predictions, truth: Truth) -> Diagnosis:
    return diagnose_oks(predictions, AP10K, truth, range(17), [str(number) for number in range(17)], {})


def animal(number: int, image: int, category: int, at: float) -> dict[str, Any]:
    points = np.column_stack([np.arange(17) * 10 + at, np.arange(17) * 5 + 20, np.full(17, 2)])
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [at, 0, 200, 120],
        "area": 12000,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": 17,
        "iscrowd": 0,
    }


def in_own_boxes(truth: Truth) -> Predictions:
    """Return each animal's own pose."""
    boxes, count = truth.boxes, len(truth.annotation_ids)
    return Predictions(
        person_ids=truth.annotation_ids,
        image_ids=truth.annotation_image_ids,
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32),
        box_scores=np.ones(count, np.float32),
        crop_areas=np.full(count, 37500, np.float32),
        keypoints=truth.keypoints[..., :2].astype(np.float32),
        keypoint_scores=np.full((count, 17), 0.9, np.float32),
    )


def read(path: Path, *annotated: dict[str, Any]) -> Truth:
    images = sorted({one["image_id"] for one in annotated})
    document = {
        "images": [{"id": image} for image in images],
        "annotations": list(annotated),
        "categories": [{"id": 1, "name": "antelope"}, *({"id": number} for number in range(2, 55))],
    }
    return load_truth(upstream.write(path, document), 17, areas=True)


def test_species_count_the_same_however_many_animals_they_have(tmp_path: Path) -> None:
    """Three of four antelopes are found, and not the only bear: 0.375 by species, 0.6 by animal."""
    truth = read(tmp_path / "gt.json", *(animal(n, n, 1, 30) for n in (1, 2, 3, 4)), animal(5, 5, 7, 30))
    found = in_own_boxes(truth)
    found.keypoints[[3, 4]] += 1e5
    assert score(found, truth)[NAMES.index("AR")] == 0.375
    expected = upstream.coco_metric(tmp_path / "gt.json", found, AP10K, categories(truth, found))
    assert score(found, truth) == expected


def test_diagnosis_has_the_ap_of_each_species(tmp_path: Path) -> None:
    truth = read(tmp_path / "gt.json", *(animal(n, n, 1, 30) for n in (1, 2, 3, 4)), animal(5, 5, 7, 30))
    found = in_own_boxes(truth)
    found.keypoints[[3, 4]] += 1e5
    (groups,) = (one.groups for one in diagnosed(found, truth).breakdowns if one.by == "category")
    assert [(group.name, group.people, group.missed) for group in groups] == [("antelope", 4, 1), ("7", 1, 1)]
    assert [group.ap for group in groups] == pytest.approx([76 / 101, 0])
    alone = read(tmp_path / "one.json", animal(1, 1, 1, 30))
    assert "category" not in [one.by for one in diagnosed(in_own_boxes(alone), alone).breakdowns]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_ap_is_the_mean_over_the_species_of_the_diagnosis(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    annotations = upstream.write(tmp_path_factory.getbasetemp() / "ap10k.json", animals(rng))
    truth = load_truth(annotations, len(AP10K.sigmas), areas=True)
    predictions = poses(rng, truth)
    diagnosis = diagnosed(predictions, truth)
    species = [group for one in diagnosis.breakdowns if one.by == "category" for group in one.groups]
    if not species:
        assert len(truth.all_categories) == 1 or not diagnosis.people
        return
    ap = [group.ap for group in species if group.ap is not None]
    assert len(ap) == len(species)
    assert np.mean(ap) == pytest.approx(score(predictions, truth)[0], abs=1e-12)
    assert sum(group.people for group in species) == diagnosis.people
    assert all(group.people for group in species)


def test_nms_does_not_ask_for_the_species(tmp_path: Path) -> None:
    """A dog and a wolf are at the same place: one of the two poses is dropped, and with it a whole species."""
    truth = read(tmp_path / "gt.json", animal(1, 1, 9, 30), animal(2, 1, 10, 30))
    found = in_own_boxes(truth)
    assert score(found, truth)[NAMES.index("AR")] == 0.5
    assert score(found, truth) == upstream.coco_metric(tmp_path / "gt.json", found, AP10K, categories(truth, found))
