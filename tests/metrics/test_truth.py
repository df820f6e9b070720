import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ObtainError
from harness.metrics.coco_results import load_results
from harness.metrics.truth import load_truth

from .upstream import write

DOCUMENT: dict[str, Any] = {
    "images": [{"id": 7, "crowdIndex": 0.5}, {"id": 3, "crowdIndex": 0}],
    "annotations": [
        {"id": 1, "image_id": 7, "keypoints": [1, 2, 2, 3, 4, 0], "bbox": [1, 2, 3, 4], "area": 6, "num_keypoints": 1},
        {
            "id": 2,
            "image_id": 3,
            "keypoints": [5, 6, 1, 7, 8, 0],
            "bbox": [5, 6, 7, 8],
            "area": 9.5,
            "num_keypoints": 0,
        },
        {
            "id": 5,
            "image_id": 7,
            "keypoints": [0] * 6,
            "bbox": [0, 0, 9, 9],
            "area": 81,
            "num_keypoints": 0,
            "iscrowd": 1,
        },
    ],
}


def test_arrays(tmp_path: Path) -> None:
    truth = load_truth(write(tmp_path / "gt.json", DOCUMENT), 2, areas=True, crowd=True)
    assert truth.image_ids.tolist() == [7, 3]
    assert truth.crowd_indices.tolist() == [0.5, 0]
    assert truth.annotation_ids.tolist() == [2, 1, 5]
    assert truth.annotation_image_ids.tolist() == [3, 7, 7]
    assert truth.keypoints[1].tolist() == [[1, 2, 2], [3, 4, 0]]
    assert truth.boxes[0].tolist() == [5, 6, 7, 8]
    assert truth.areas.tolist() == [9.5, 6, 81]
    assert truth.is_crowd.tolist() == [False, False, True]
    assert truth.num_keypoints.tolist() == [0, 1, 0]


def test_restrict(tmp_path: Path) -> None:
    truth = load_truth(write(tmp_path / "gt.json", DOCUMENT), 2)
    part = truth.restrict([7])
    assert part.image_ids.tolist() == [7]
    assert part.annotation_ids.tolist() == [1, 5]
    with pytest.raises(ObtainError, match=r"gt\.json: there is no image 8"):
        truth.restrict([7, 8])


def test_fields_that_are_not_needed(tmp_path: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    for record in (*document["images"], *document["annotations"]):
        for field in ("area", "crowdIndex", "num_keypoints"):
            record.pop(field, None)
    truth = load_truth(write(tmp_path / "gt.json", document), 2)
    assert np.isnan(truth.areas).all()
    assert np.isnan(truth.crowd_indices).all()
    assert (truth.num_keypoints == -1).all()


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (["images"], None, "`images` is not a list of objects"),
        (["annotations"], [], "'annotations' is empty"),
        (["images", 0, "id"], "seven", "'id' in 'images' must be a non-negative integer, not 'seven'"),
        (["images", 1, "crowdIndex"], None, "'crowdIndex' of 3 in 'images' is missing"),
        (["annotations", 0, "image_id"], 99, "annotation 1 has image_id 99, which is not among its 'images'"),
        (["annotations", 0, "keypoints"], None, "'keypoints' of 1 in 'annotations' is missing"),
        (["annotations", 0, "keypoints"], [1, 2, 2], "'keypoints' of 1 in 'annotations' must hold 6 numbers, not 3"),
        (
            ["annotations", 1, "keypoints", 0],
            "x",
            "'keypoints' of 2 in 'annotations' holds something other than numbers",
        ),
        (["annotations", 1, "keypoints", 3], float("nan"), "'keypoints' of 2 in 'annotations' is not finite"),
        (["annotations", 2, "bbox"], [1, 2, 3], "'bbox' of 5 in 'annotations' must hold 4 numbers, not 3"),
        (["annotations", 2, "area"], None, "'area' of 5 in 'annotations' is missing"),
        (["annotations", 2, "area"], float("inf"), "'area' of 5 in 'annotations' is not finite"),
        (["annotations", 1, "num_keypoints"], None, "'num_keypoints' of 2 in 'annotations' is missing"),
        (["annotations", 1, "category_id"], 2, "annotations of several 'category_id', not all of which are whole"),
        (["annotations", 1, "category_id"], [1], "annotations of several 'category_id'"),
        (
            ["annotations", 1, "keypoints", 0],
            10**400,
            "'keypoints' of 2 in 'annotations' holds something other than numbers",
        ),
        (["annotations", 1, "keypoints", 0], 1e300, "'keypoints' of 2 in 'annotations' is too large"),
    ],
)
def test_broken_fields(tmp_path: Path, where: list[Any], value: Any, message: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    record = document
    for key in where[:-1]:
        record = record[key]
    record[where[-1]] = value
    path = write(tmp_path / "gt.json", document)
    with pytest.raises(ObtainError) as caught:
        load_truth(path, 2, areas=True, crowd=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(ObtainError, match=r"the annotation file is missing: .*none\.json"):
        load_truth(tmp_path / "none.json", 2)
    (tmp_path / "text.json").write_text("images")
    with pytest.raises(ObtainError, match=r"the annotation file cannot be read: .*text\.json"):
        load_truth(tmp_path / "text.json", 2)
    with pytest.raises(ObtainError, match="it is not an object with `images` and `annotations`"):
        load_truth(write(tmp_path / "list.json", []), 2)
    document = copy.deepcopy(DOCUMENT)
    for person in document["annotations"]:
        person["keypoints"][2::3] = [0, 0]
    with pytest.raises(ObtainError, match="no annotation has a labelled keypoint"):
        load_truth(write(tmp_path / "unlabelled.json", document), 2)


def test_lists_in_place_of_numbers(tmp_path: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    for person in document["annotations"]:
        person["area"] = [5, 6]
    with pytest.raises(ObtainError, match=r"gt\.json: 'area' of 2 in 'annotations' must be a number, not \[5, 6\]"):
        load_truth(write(tmp_path / "gt.json", document), 2, areas=True)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "its top level is not a list of objects"),
        (
            [{"image_id": 1, "keypoints": [0] * 6, "score": 1}, {"image_id": 1, "score": 1}],
            "entry 1 has no 'keypoints'",
        ),
        ([{"image_id": 1, "keypoints": [0] * 5, "score": 1}], "'keypoints' of entry 0 must be 6 numbers, not 5 values"),
        (
            [{"image_id": 1, "keypoints": [0] * 6, "score": [1]}],
            r"'score' of entry 0 must be one number, not 1 values\n",
        ),
        ([{"image_id": 1, "keypoints": [0] * 6, "score": 1, "category_id": 2}, {}], "entry 1 has no 'category_id'\n"),
        (
            [{"image_id": 1, "keypoints": [0] * 6, "score": 1, "category_id": [1]}, {"category_id": 1}],
            "several 'category_id'",
        ),
        (
            [{"image_id": 1.5, "keypoints": [0] * 6, "score": 1}],
            "'image_id' of entry 0 must be a whole number, not 1.5\n",
        ),
        (
            [{"image_id": float("nan"), "keypoints": [0] * 6, "score": 1}],
            "'image_id' of entry 0 must be a whole number, not nan",
        ),
        ([{"image_id": 1, "keypoints": [10**400] * 6, "score": 1}], "'keypoints' of entry 0 must be 6 numbers"),
    ],
)
def test_broken_results(tmp_path: Path, entries: Any, message: str) -> None:
    with pytest.raises(ObtainError, match=message):
        load_results(write(tmp_path / "dt.json", entries), 2)
