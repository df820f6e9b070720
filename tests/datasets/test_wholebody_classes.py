"""People, faces and hands of COCO-WholeBody's file compared with MMPose's own classes; also OCHuman and Halpe."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import Inspection, inspect_data
from harness.datasets.interface import DataFiles
from harness.datasets.lookup import dataset_class, file_names
from harness.datasets.people import load_people
from harness.errors import ObtainError, SpecError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.suites.metainfo import metainfo_of_file, read_metainfo
from harness.suites.schema import Counts

install_stand_ins()
import mmpose.datasets  # noqa: E402, F401
from mmengine.registry import DefaultScope  # noqa: E402
from mmpose.registry import DATASETS  # noqa: E402

FIELDS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
CLASSES = {
    "CocoWholeBodyDataset": 133,
    "UBody2dDataset": 133,
    "CocoWholeBodyFaceDataset": 68,
    "CocoWholeBodyHandDataset": 21,
}
SAMPLE = "coco/annotations/coco_wholebody_val_v1.0.json"


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def upstream(name: str, annotations: Path, images: Path, boxes: Path | None = None) -> list[dict[str, Any]]:
    """Return the samples of MMPose's class."""
    settings = {"type": name, "ann_file": str(annotations), "data_prefix": {"img": f"{images}/"}, "test_mode": True}
    with DefaultScope.overwrite_default_scope("mmpose"):
        dataset = DATASETS.build(
            settings | {"bbox_file": str(boxes) if boxes else None, "pipeline": [], "serialize_data": False}
        )
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def assert_equal_upstream(name: str, annotations: Path, images: Path, num_keypoints: int) -> int:
    """Compare people and their labels; return the number of people."""
    theirs = upstream(name, annotations, images)
    if not theirs:
        with pytest.raises(ObtainError, match="no person in "):
            load_people(name, annotations, images, None, None)
        return 0
    people = load_people(name, annotations, images, None, None)
    labelled = dataset_class(name).labelled(annotations, num_keypoints)
    places = labelled.places(people.ids)
    assert people.ids.tolist() == [sample["id"] for sample in theirs]
    assert people.image_ids.tolist() == [sample["img_id"] for sample in theirs]
    for person, (sample, place) in enumerate(zip(theirs, places, strict=True)):
        assert people.images[people.image_ids[person]] == Path(sample["img_path"])
        np.testing.assert_array_equal(people.boxes[person], sample["bbox"][0])
        np.testing.assert_array_equal(labelled.keypoints[place], sample["keypoints"][0].astype(np.float32))
        np.testing.assert_array_equal(labelled.visible[place], sample["keypoints_visible"][0].astype(bool))
    return len(people)


def document(rng: np.random.Generator) -> dict[str, Any]:
    """Return people of all kinds in unordered images."""
    images = [
        {"id": int(number), "file_name": f"{number}.jpg", "width": int(rng.integers(50, 300)), "height": 200}
        for number in rng.choice(1000, 4, replace=False)
    ]
    people = []
    for number in rng.permutation(14).tolist():
        person: dict[str, Any] = {
            "id": 100 + number,
            "image_id": images[int(rng.integers(3))]["id"],
            "category_id": 1,
            "segmentation": [],
            "area": 100.5,
            "iscrowd": int(rng.random() < 0.1),
        }
        for field, count in FIELDS.items():
            points = np.column_stack([rng.uniform(-20, 300, (count, 2)).round(2), rng.choice([0, 1, 2], count)])
            if rng.random() < 0.3:
                points[:, 2] = rng.uniform(0, 1, count).round(3)
            if rng.random() < 0.2:
                points[:] = 0
            elif rng.random() < 0.1:
                points[:, :2] = -1
            person[field] = points.ravel().tolist()
        person["num_keypoints"] = int(rng.choice([0, 3, 17]))
        for field in ("bbox", "face_box", "lefthand_box", "righthand_box"):
            size = rng.uniform(0, 150, 2) if rng.random() < 0.8 else np.zeros(2)
            person[field] = [*rng.uniform(-60, 280, 2).tolist(), *size.tolist()]
        for part in ("face", "lefthand", "righthand", "foot"):
            person[f"{part}_valid"] = bool(rng.random() < 0.7)
        people.append(person)
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from([*CLASSES]))
def test_random_files(tmp_path_factory: pytest.TempPathFactory, seed: int, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "wholebody_annotations.json"
    write(path, document(np.random.default_rng(seed)))
    assert_equal_upstream(name, path, path.parent / "images", CLASSES[name])


@pytest.mark.parametrize("name", CLASSES)
def test_an_image_listed_twice(name: str, tmp_path: Path) -> None:
    content = document(np.random.default_rng(1))
    content["images"] += content["images"][1::-1]
    path = write(tmp_path / "gt.json", content)
    assert assert_equal_upstream(name, path, tmp_path, CLASSES[name]) > 0
    assert inspect(name, tmp_path, "gt.json", "").found.images == 4


@pytest.mark.parametrize(
    ("name", "annotations", "images", "expected"),
    [
        ("CocoWholeBodyDataset", SAMPLE, "coco/val2017", 12),
        ("UBody2dDataset", SAMPLE, "coco/val2017", 12),
        ("CocoWholeBodyFaceDataset", SAMPLE, "coco/val2017", 4),
        ("CocoWholeBodyHandDataset", SAMPLE, "coco/val2017", 10),
        ("HalpeDataset", "halpe/annotations/halpe_val_v1.json", "coco/val2017", None),
        ("OCHumanDataset", "ochuman/annotations/ochuman_coco_format_val_range_0.00_1.00.json", "ochuman/images", 5),
    ],
)
def test_samples(zoo_samples: Path, name: str, annotations: str, images: str, expected: int | None) -> None:
    count = len(read_metainfo({"type": name}).names)
    found = assert_equal_upstream(name, zoo_samples / annotations, zoo_samples / images, count)
    assert found > 0
    assert expected in (None, found)
    inspection = inspect(name, zoo_samples, annotations, images)
    assert inspection.found.people == found
    assert inspection.found.on_disk == inspection.found.images
    assert {problem.severity for problem in inspection.problems} <= {"note", "warning"}


def inspect(name: str, data: Path, annotations: str, images: str) -> Inspection:
    names = read_metainfo({"type": name}).names
    areas = len(names) > 68
    rules = Rules(len(names), areas=areas, crowd=False, one_based=False, flags=areas, names=names)
    return inspect_data(DataFiles(name, annotations, images, (), True, rules), data, Counts())


def test_detected_people(tmp_path: Path) -> None:
    content = document(np.random.default_rng(1))
    path = write(tmp_path / "gt.json", content)
    found = [
        {"image_id": image["id"], "category_id": number % 2 + 1, "bbox": [-5.5, 3, 200, 30], "score": 0.1 * number}
        for number, image in enumerate(content["images"] * 2)
    ]
    boxes = write(tmp_path / "boxes.json", found)
    for name in CLASSES:
        people = load_people(name, path, tmp_path, boxes, None)
        theirs = upstream(name, path, tmp_path, boxes)
        assert people.ids.tolist() == [sample["id"] for sample in theirs]
        np.testing.assert_array_equal(people.boxes, np.concatenate([sample["bbox"] for sample in theirs]))
    assert file_names("CocoWholeBodyHandDataset", path) == {
        image["id"]: image["file_name"] for image in content["images"]
    }


def test_hands_have_no_mirror_images() -> None:
    for name in ("coco_wholebody_hand", "onehand10k"):
        assert metainfo_of_file(f"configs/_base_/datasets/{name}.py").flip_indices == tuple(range(21))
    face = read_metainfo({"type": "CocoWholeBodyFaceDataset"})
    assert face.flip_indices[0] == 16
    assert len(read_metainfo({"type": "UBody2dDataset"}).names) == 133


def one_person(**changes: Any) -> dict[str, Any]:
    points = {field: [50.0, 60.0, 1] * count for field, count in FIELDS.items()}
    boxes = {field: [10, 20, 60, 70] for field in ("bbox", "face_box", "lefthand_box", "righthand_box")}
    valid = {f"{part}_valid": True for part in ("face", "lefthand", "righthand", "foot")}
    person = {"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": 900, **points}
    person |= boxes | valid | changes
    image = {"id": 1, "file_name": "1.jpg", "width": 100, "height": 100}
    return {"images": [image], "annotations": [{k: v for k, v in person.items() if v is not None}]}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("CocoWholeBodyDataset", {"foot_kpts": None}, "'foot_kpts' of 7 in 'annotations' is missing"),
        ("CocoWholeBodyDataset", {"face_kpts": [1, 2, 3]}, "'face_kpts' of 7 .* must hold 204 numbers, not 3 values"),
        ("CocoWholeBodyDataset", {"num_keypoints": None}, "'num_keypoints' of 7 in 'annotations' is missing"),
        ("CocoWholeBodyDataset", {"num_keypoints": "many"}, "'num_keypoints' of 7 .* must be a number, not 'many'"),
        ("CocoWholeBodyDataset", {"bbox": None}, "'bbox' of 7 in 'annotations' is missing"),
        ("CocoWholeBodyDataset", {"num_keypoints": 0}, "no person in .* has keypoints and a box"),
        ("CocoWholeBodyFaceDataset", {"face_valid": None}, "'face_valid' of 7 in 'annotations' is missing"),
        ("CocoWholeBodyFaceDataset", {"face_valid": False}, "no person in .* has a face with keypoints and a box"),
        ("CocoWholeBodyFaceDataset", {"face_box": [1, 2]}, "'face_box' of 7 .* must hold 4 numbers, not 2 values"),
        ("CocoWholeBodyFaceDataset", {"face_box": [1, 2, float("nan"), 4]}, "not a finite number|no person in"),
        ("CocoWholeBodyFaceDataset", {"face_kpts": [1e39, 5, 2] * 68}, "keypoints of face 7 are too large"),
        ("CocoWholeBodyHandDataset", {"lefthand_kpts": None}, "'lefthand_kpts' of 7 in 'annotations' is missing"),
        ("CocoWholeBodyHandDataset", {"righthand_valid": "yes"}, "'righthand_valid' of 7 .* must be a number"),
        ("CocoWholeBodyHandDataset", {"id": "seven"}, r"annotations\[0\] of .* has no id: it is 'seven'"),
    ],
)
def test_bad_annotations(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    good = write(tmp_path / "good.json", one_person())
    assert len(load_people(name, good, tmp_path, None, None)) == (2 if "Hand" in name else 1)
    path = write(tmp_path / "bad.json", one_person(**change))
    with pytest.raises(ObtainError, match=message):
        load_people(name, path, tmp_path, None, None)


def test_labels_of_another_metainfo(tmp_path: Path) -> None:
    path = write(tmp_path / "gt.json", one_person())
    with pytest.raises(SpecError, match="metainfo: 21 keypoints; CocoWholeBodyFaceDataset has 68"):
        dataset_class("CocoWholeBodyFaceDataset").labelled(path, 21)


def problems(folder: Path, name: str, **changes: Any) -> list[str]:
    write(folder / "gt.json", one_person(**changes))
    found = inspect(name, folder, "gt.json", "images").problems
    return [str(problem).removeprefix("gt.json: ") for problem in found if problem.file == "gt.json"]


def test_inspection(tmp_path: Path) -> None:
    whole, face, hand = "CocoWholeBodyDataset", "CocoWholeBodyFaceDataset", "CocoWholeBodyHandDataset"
    for name in (whole, face, hand):
        assert problems(tmp_path, name) == []
        assert problems(tmp_path, name, righthand_kpts=[50, 60, 0.04] * 21) == []
        assert inspect(name, tmp_path, "gt.json", "images").found.people == (2 if name == hand else 1)
    fields = ", ".join(FIELDS)
    assert problems(tmp_path, whole, foot_kpts=None) == [
        f"annotation 7: {fields}: missing, or not 133 times x, y, visibility"
    ]
    assert problems(tmp_path, whole, righthand_kpts=[50, 60, 3] * 21) == [
        f"annotation 7: {fields}: a visibility that is not from 0 to 2"
    ]
    # The count is that of the body only.
    assert problems(tmp_path, whole, num_keypoints=16) == [
        "annotation 7: num_keypoints: not the number of the labelled keypoints of the body"
    ]
    assert problems(tmp_path, whole, num_keypoints=None) == [
        "annotation 7: num_keypoints: missing, but the evaluation reads it"
    ]
    assert problems(tmp_path, face, face_valid=None) == [
        "annotation 7: face_valid: missing, or neither true nor false; only parts with true are evaluated"
    ]
    unseen = "yet the person has keypoints: not evaluated on ground-truth boxes"
    assert problems(tmp_path, face, face_box=[200, 200, 10, 10]) == [
        f"annotation 7: face_box: outside of the image, {unseen}"
    ]
    assert problems(tmp_path, hand, lefthand_box=[200, 200, 10, 10]) == []
    assert problems(tmp_path, hand, lefthand_box=[20, 20, 0, 10], righthand_kpts=[5, 5]) == [
        f"annotation 7: lefthand_box: width or height is zero or negative, {unseen}",
        "annotation 7: righthand_kpts: missing, or not 21 times x, y, visibility",
    ]
    path = tmp_path / "gt.json"
    path.write_text("[]")
    (problem,) = inspect(hand, tmp_path, "gt.json", "images").problems
    assert problem.text == "it is not an object with `images` and `annotations`"
