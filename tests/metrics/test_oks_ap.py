"""OKS AP compared with xtcocotools: the same stats, precision and recall, bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.coco_results import load_results
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.oks.average_precision import accumulate, match, object_keypoint_similarity
from harness.metrics.truth import load_truth

from . import cases, upstream
from .measured import score_detections

COCO = OksScoring(sigmas=cases.COCO_SIGMAS, area="annotation")
AIC = OksScoring(sigmas=cases.AIC_SIGMAS, area="box")
CROWDPOSE = OksScoring(sigmas=cases.CROWDPOSE_SIGMAS, area="box", crowd=True)
COCO_NAMES = ["AP", "AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.5", "AR@0.75", "AR(M)", "AR(L)"]
CROWDPOSE_NAMES = ["AP", "AP@0.5", "AP@0.75", "AR", "AR@0.5", "AR@0.75", "AP(E)", "AP(M)", "AP(H)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oks")


def score(annotations: Path, results: Path, scoring: OksScoring) -> list[float]:
    truth = load_truth(annotations, len(scoring.sigmas), areas=scoring.area == "annotation", crowd=scoring.crowd)
    stats = score_detections(load_results(results, len(scoring.sigmas)).detections, scoring, truth)
    assert list(stats) == (CROWDPOSE_NAMES if scoring.crowd else COCO_NAMES)
    return [-1 if value is None else value for value in stats.values()]


def assert_as_upstream(folder: Path, document: Any, results: Any, scoring: OksScoring) -> list[float]:
    annotations, found = upstream.write(folder / "gt.json", document), upstream.write(folder / "dt.json", results)
    stats, precision, recall = upstream.evaluate(annotations, found, scoring)
    truth = load_truth(annotations, len(scoring.sigmas), areas=scoring.area == "annotation", crowd=scoring.crowd)
    detections = load_results(found, len(scoring.sigmas)).detections
    sigmas = np.array(scoring.sigmas, np.float32)
    curves = accumulate(match(detections, truth, sigmas, box_area=scoring.area == "box", crowd=scoring.crowd))
    np.testing.assert_array_equal(curves.precision, precision)
    np.testing.assert_array_equal(curves.recall, recall)
    assert score(annotations, found, scoring) == stats
    return stats


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), boxes=st.booleans(), scoring=st.sampled_from([COCO, AIC, CROWDPOSE]))
def test_random_cases(folder: Path, seed: int, boxes: bool, scoring: OksScoring) -> None:
    rng = np.random.default_rng(seed)
    document = cases.annotations(rng, len(scoring.sigmas))
    results = cases.poses(rng, document, len(scoring.sigmas), most=int(rng.choice([3, 40])))
    if not boxes:
        results = [{name: value for name, value in pose.items() if name != "bbox"} for pose in results]
    for person in document["annotations"]:
        if scoring is AIC:  # its annotations have no areas, and need no counts
            del person["area"], person["num_keypoints"]
    assert_as_upstream(folder, document, results, scoring)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), scoring=st.sampled_from([COCO, AIC, CROWDPOSE]))
def test_several_categories(folder: Path, seed: int, scoring: OksScoring) -> None:
    """Each category is evaluated separately, and metrics are means over them; poses of others are dropped."""
    rng = np.random.default_rng(seed)
    document = cases.annotations(rng, len(scoring.sigmas), images=8)
    for person in document["annotations"]:
        person["category_id"] = int(rng.choice([2, 5, 7]))
    used = sorted({person["category_id"] for person in document["annotations"]})
    document["categories"] = [{"id": category} for category in used]
    results = cases.poses(rng, document, len(scoring.sigmas), most=int(rng.choice([3, 40])))
    for pose in results:
        pose["category_id"] = int(rng.choice([*used, 99])) if len(used) > 1 else used[0]
    assert_as_upstream(folder, document, results, scoring)


@pytest.mark.parametrize("scoring", [COCO, AIC, CROWDPOSE])
def test_similarities(folder: Path, scoring: OksScoring) -> None:
    rng = np.random.default_rng(0)
    document = cases.annotations(rng, len(scoring.sigmas), images=20)
    annotations = upstream.write(folder / "gt.json", document)
    # One pose per image, so that upstream's ranking does not matter.
    results = list({pose["image_id"]: pose for pose in cases.poses(rng, document, len(scoring.sigmas), 9)}.values())
    for pose in results:
        pose["keypoints"][2::3] = [1] * len(scoring.sigmas)
    found = upstream.write(folder / "dt.json", results)
    evaluation = upstream.coco_eval(annotations, found, scoring)
    evaluation._prepare()
    truth = load_truth(annotations, len(scoring.sigmas))
    areas = truth.boxes[:, 2] * truth.boxes[:, 3] * 0.53 if scoring.area == "box" else truth.areas
    detections = load_results(found, len(scoring.sigmas)).detections
    for image_id, points in zip(detections.image_ids, detections.keypoints[..., :2], strict=True):
        people = np.flatnonzero(truth.annotation_image_ids == image_id)
        pairs = np.repeat(points[None], len(people), axis=0)
        ours = object_keypoint_similarity(pairs, truth, people, areas, np.array(scoring.sigmas, np.float32))
        np.testing.assert_array_equal(ours, np.ravel(evaluation.computeOks(image_id, 1)))


@pytest.mark.parametrize("last", ["left", "right"])
def test_the_last_of_equally_similar_people_is_taken(folder: Path, last: str) -> None:
    """The better pose lies between two people and the other near the left one, who may already be matched."""
    document = cases.annotations(np.random.default_rng(0), 17)
    image_id = document["images"][0]["id"]
    person = {"image_id": image_id, "category_id": 1, "bbox": [0, 0, 100, 100], "area": 2000}
    left = person | {"id": 1, "keypoints": [94, 100, 2] * 17}
    right = person | {"id": 2, "keypoints": [106, 100, 2] * 17}
    document["annotations"] = [right, left] if last == "left" else [left, right]
    pose = {"image_id": image_id, "category_id": 1, "bbox": [0, 0, 100, 100]}
    results = [
        pose | {"keypoints": [100, 100, 1] * 17, "score": 0.9},
        pose | {"keypoints": [88, 100, 1] * 17, "score": 0.8},
    ]
    recall = assert_as_upstream(folder, document, results, COCO)[COCO_NAMES.index("AR@0.5")]
    assert recall == (0.5 if last == "left" else 1)


@pytest.mark.parametrize("scoring", [COCO, AIC, CROWDPOSE])
def test_no_predictions(folder: Path, scoring: OksScoring) -> None:
    document = cases.annotations(np.random.default_rng(1), len(scoring.sigmas), images=20)
    assert assert_as_upstream(folder, document, [], scoring)[0] == 0


def test_undefined_stats_are_none(folder: Path) -> None:
    document = cases.annotations(np.random.default_rng(2), 17)
    for person in document["annotations"]:
        person["area"] = 100
    assert assert_as_upstream(folder, document, [], COCO)[3:5] == [-1, -1]
    truth = load_truth(folder / "gt.json", 17, areas=True)
    stats = score_detections(load_results(folder / "dt.json", 17).detections, COCO, truth)
    assert stats["AP(M)"] is stats["AP(L)"] is stats["AR(M)"] is stats["AR(L)"] is None
    assert stats["AP"] == 0


def test_crowd_index_class_without_images(folder: Path) -> None:
    rng = np.random.default_rng(3)
    document = cases.annotations(rng, 14)
    for image, crowd_index in zip(document["images"], (0.2, 0.3, 0.8, 0.2, 1, 0.79), strict=True):
        image["crowdIndex"] = crowd_index
    stats = assert_as_upstream(folder, document, cases.poses(rng, document, 14, most=10), CROWDPOSE)
    assert stats[6] == -1
    assert stats[7] > 0
    assert stats[8] > 0


def test_annotations_that_share_an_id(folder: Path) -> None:
    rng = np.random.default_rng(4)
    document = cases.annotations(rng, 17)
    for person in document["annotations"][::3]:
        person["id"] = document["annotations"][1]["id"]
    assert_as_upstream(folder, document, cases.poses(rng, document, 17, most=10), COCO)


def test_image_listed_twice(folder: Path) -> None:
    rng = np.random.default_rng(5)
    document = cases.annotations(rng, 17)
    document["images"].append(document["images"][0])
    assert_as_upstream(folder, document, cases.poses(rng, document, 17, most=10), COCO)


def test_restricted_truth_is_the_truth_of_a_smaller_file(folder: Path) -> None:
    rng = np.random.default_rng(6)
    document = cases.annotations(rng, 17)
    some = [image["id"] for image in document["images"][1:4]]
    results = [pose for pose in cases.poses(rng, document, 17, most=10) if pose["image_id"] in some]
    whole = load_truth(upstream.write(folder / "whole.json", document), 17, areas=True)
    document["images"] = document["images"][1:4]
    document["annotations"] = [person for person in document["annotations"] if person["image_id"] in some]
    stats = assert_as_upstream(folder, document, results, COCO)
    restricted = score_detections(load_results(folder / "dt.json", 17).detections, COCO, whole.restrict(some))
    assert [-1 if value is None else value for value in restricted.values()] == stats


@pytest.mark.parametrize(
    ("annotations", "results", "expected"),
    [
        (
            "coco-one-image/gt_dataset.json",
            "coco-one-image/dt_dataset.json",
            [
                *(0.5048844884, 0.7227722772, 0.6336633663, 0.4663366337, 0.7504950495),
                *(0.5181818182, 0.7272727273, 0.6363636364, 0.4666666667, 0.75),
            ],
        ),
        (
            "coco-four-images/example_coco_val.json",
            "coco-four-images/example_coco_preds.json",
            [
                *(0.8608896054, 0.9931454684, 0.9108910891, 0.7755775578, 0.9372524752),
                *(0.875, 1.0, 0.9166666667, 0.78, 0.9428571429),
            ],
        ),
    ],
)
def test_published_scores(scoring_samples: Path, annotations: str, results: str, expected: list[float]) -> None:
    stats = score(scoring_samples / annotations, scoring_samples / results, COCO)
    assert stats == pytest.approx(expected, abs=1e-9)


def test_sigmas_matter_on_aic(folder: Path) -> None:
    rng = np.random.default_rng(7)
    document = cases.annotations(rng, 14, images=20)
    results = cases.poses(rng, document, 14, most=10)
    right = assert_as_upstream(folder, document, results, AIC)
    wrong = score(folder / "gt.json", folder / "dt.json", AIC.model_copy(update={"sigmas": cases.COCO_SIGMAS[:14]}))
    assert abs(right[0] - wrong[0]) > 0.01


def test_area_rule_matters_on_crowdpose(folder: Path) -> None:
    rng = np.random.default_rng(8)
    document = cases.annotations(rng, 14, images=20)
    results = cases.poses(rng, document, 14, most=10)
    right = assert_as_upstream(folder, document, results, CROWDPOSE)
    wrong = score(folder / "gt.json", folder / "dt.json", CROWDPOSE.model_copy(update={"area": "annotation"}))
    assert abs(right[0] - wrong[0]) > 0.01
