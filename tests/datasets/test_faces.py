"""Faces compared with MMPose's own data set classes: samples, boxes, centres, scales and keypoints, bit for bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_data import CENTRED, CONFIGS, KEYPOINTS, SIZE, face_config, face_protocol, write_faces
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_config import build_dataset

from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import DataFiles, Inspection, inspect_data
from harness.datasets.lookup import dataset_class
from harness.datasets.people import check_images, load_people
from harness.errors import ObtainError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.crops import crop_regions, read_image, warp
from harness.suites.ledger import image_folder, point_at
from harness.suites.schema import Counts


def upstream_samples(name: str, **settings: Any) -> list[dict[str, Any]]:
    """Return MMPose's samples after GetBBoxCenterScale, which applies the padding."""
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.registry import DATASETS, TRANSFORMS

    padding = TRANSFORMS.build({"type": "GetBBoxCenterScale"})
    found = DATASETS.build({"type": name, "test_mode": True, "pipeline": [], "serialize_data": False} | settings)
    return [padding(dict(sample)) for sample in found.data_list]


def compare(name: str, annotations: Path, images: Path, expected: list[dict[str, Any]]) -> None:
    people = load_people(name, annotations, images, None, None)
    padding = np.float32(face_protocol(name).crop.padding)
    labelled = dataset_class(name).labelled(annotations, KEYPOINTS[name])
    places = labelled.places(people.ids)
    for row, sample in enumerate(expected):
        assert people.ids[row] == sample["id"]
        assert people.image_ids[row] == sample["img_id"]
        assert people.images[sample["img_id"]] == Path(sample["img_path"])
        np.testing.assert_array_equal(people.boxes[row], sample["bbox"][0])
        np.testing.assert_array_equal(people.scores[row], sample["bbox_score"][0])
        np.testing.assert_array_equal(people.centers[row], sample["bbox_center"][0])
        np.testing.assert_array_equal(people.sizes[row] * padding, sample["bbox_scale"][0])
        np.testing.assert_array_equal(labelled.keypoints[places[row]], sample["keypoints"][0])
        np.testing.assert_array_equal(labelled.visible[places[row]], sample["keypoints_visible"][0].astype(bool))
    assert len(people) == len(expected)


@pytest.mark.filterwarnings("ignore:Use the existing")
@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_samples_equal_upstream(name: str, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "faces.json"
    write_faces(np.random.default_rng(seed), name, path)
    expected = upstream_samples(name, ann_file=str(path), data_prefix={"img": str(folder)})
    if expected:
        compare(name, path, folder, expected)
    else:
        with pytest.raises(ObtainError, match=r"no (face|person) in"):
            load_people(name, path, folder, None, None)


@pytest.mark.filterwarnings("ignore:Use the existing")
@pytest.mark.parametrize("name", ["Face300WDataset", "COFWDataset"])
def test_an_image_listed_twice(name: str, tmp_path: Path) -> None:
    content = write_faces(np.random.default_rng(0), name, tmp_path / "faces.json", 30)
    content["images"] += content["images"][1::-1]
    (tmp_path / "faces.json").write_text(json.dumps(content))
    expected = upstream_samples(name, ann_file=str(tmp_path / "faces.json"), data_prefix={"img": str(tmp_path)})
    compare(name, tmp_path / "faces.json", tmp_path, expected)
    found = inspected(name, tmp_path, "faces.json", "")
    assert (found.found.images, found.found.people) == (5, len(expected))


@pytest.mark.filterwarnings("ignore:Use the existing")
@pytest.mark.parametrize("name", CONFIGS)
def test_real_samples_equal_upstream(name: str, zoo_samples: Path) -> None:
    config = face_config(name)
    dataset = point_at(config, str(zoo_samples)).test_dataloader.dataset
    fields = {field: dataset[field] for field in ("ann_file", "data_root", "data_prefix")}
    expected = upstream_samples(name, **fields)
    annotations = zoo_samples / face_protocol(name).annotations.path
    compare(name, annotations, zoo_samples / image_folder(config), expected)
    people = load_people(name, annotations, zoo_samples / image_folder(config), None, None)
    check_images(people.images)
    crop, dataset = face_protocol(name).crop, build_dataset(config, zoo_samples)
    regions = crop_regions(people, crop)
    for row in range(len(people)):
        np.testing.assert_array_equal(regions.centers[row], dataset[row]["data_samples"].input_center)
        np.testing.assert_array_equal(regions.sizes[row], dataset[row]["data_samples"].input_scale)
        image = read_image(people.images[people.image_ids[row]])
        pixels = warp(image, regions.matrices[row], crop.input_size)
        np.testing.assert_array_equal(pixels, dataset[row]["inputs"].numpy().transpose(1, 2, 0))
    found = inspected(name, zoo_samples, face_protocol(name).annotations.path, image_folder(config))
    assert found.found.people == len(people) > 0
    assert not found.problems


def document(name: str) -> dict[str, Any]:
    """Return an annotation file of ten faces without faults."""
    rng = np.random.default_rng(4)
    people = []
    for number in range(10):
        center = rng.uniform(80, 160, 2)
        points = center + rng.uniform(-40, 40, (KEYPOINTS[name], 2))
        keypoints = np.column_stack([points, np.ones(len(points))]).ravel().tolist()
        face = {"id": number + 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "num_keypoints": KEYPOINTS[name]}
        people.append(face | {"keypoints": keypoints, "center": center.tolist(), "scale": 0.4, "box_size": 80.0})
    images = [{"id": 1, "file_name": "1.jpg", "width": SIZE[0], "height": SIZE[1]}]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "face"}]}


def inspected(name: str, data: Path, annotations: str, images: str) -> Inspection:
    rules = Rules(KEYPOINTS[name], areas=False, crowd=False, one_based=False)
    files = DataFiles(name, annotations, images, boxes=(), ground_truth=True, rules=rules)
    return inspect_data(files, data, Counts())


FAULTS: dict[str, tuple[Any, str, str]] = {
    "no center": (lambda faces: faces[1].pop("center"), "error", "annotation 2: center: missing, or not x, y"),
    "center of three": (lambda faces: faces[1].update(center=[1, 2, 3]), "error", "annotation 2: center: missing, or"),
    "no scale": (lambda faces: faces[2].pop("scale"), "error", "annotation 3: scale: missing, or not a number"),
    "scale of two": (lambda faces: faces[2].update(scale=[0.4, 0.4]), "error", "annotation 3: scale: missing, or not"),
    "scale 0": (lambda faces: faces[0].update(scale=0), "error", "annotation 1: scale: zero or negative"),
    "no count": (lambda faces: faces[0].pop("num_keypoints"), "error", "annotation 1: num_keypoints: missing"),
    "no iscrowd": (lambda faces: faces[0].pop("iscrowd"), "error", "annotation 1: iscrowd: missing: MMPose's class"),
    "scale in px": (lambda faces: faces[0].update(scale=80), "error", "annotation 1: scale: looks like pixels"),
    "all scales in px": (
        lambda faces: [face.update(scale=80) for face in faces],
        "fatal",
        "annotations 1, 2, 3 and 7 more: scale: looks like pixels; it is read in units of 200 px",
    ),
    "huge scales": (
        lambda faces: [face.update(scale=4000) for face in faces],
        "fatal",
        "scale: the square is more than 8 times as wide as the keypoints",
    ),
    "scale of the keypoints": (
        lambda faces: [face.update(scale=0.1) for face in faces],
        "fatal",
        "scale: the square is less than 0.4 times as wide",
    ),
    "center elsewhere": (lambda faces: faces[4].update(center=[300, 10]), "error", "annotation 5: center: far from"),
    "all centers shares": (
        lambda faces: [face.update(center=[0.5, 0.5]) for face in faces],
        "fatal",
        "center: far from the keypoints",
    ),
}


@pytest.mark.parametrize("name", CENTRED)
@pytest.mark.parametrize("fault", FAULTS)
def test_inspection_finds(fault: str, name: str, tmp_path: Path) -> None:
    faces = document(name)
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    before = inspected(name, tmp_path, "faces.json", "").problems
    assert [str(problem) for problem in before] == ["image 1.jpg: missing, 1 of 1"]
    change, severity, text = FAULTS[fault]
    change(faces["annotations"])
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    found = inspected(name, tmp_path, "faces.json", "")
    assert [problem.severity for problem in found.problems if text in str(problem)] == [severity], found.problems
    if fault in ("no center", "no scale", "scale 0", "center of three", "scale of two", "no count"):
        assert found.found.people == 9


def test_box_size_of_aflw(tmp_path: Path) -> None:
    faces = document("AFLWDataset")
    del faces["annotations"][0]["box_size"]
    faces["annotations"][1]["box_size"] = 90
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    problems = inspected("AFLWDataset", tmp_path, "faces.json", "").problems
    found = [(problem.severity, str(problem)[:70]) for problem in problems if problem.field == "box_size"]
    assert found == [
        ("error", "faces.json: annotation 1: box_size: missing: MMPose's class refuses an"),
        ("note", "faces.json: annotation 2: box_size: not 200 times scale"),
    ]
    with pytest.raises(ObtainError, match=r"annotation 1 of .*faces\.json: box_size is missing"):
        load_people("AFLWDataset", tmp_path / "faces.json", tmp_path, None, None)
    assert len(load_people("WFLWDataset", tmp_path / "faces.json", tmp_path, None, None)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"center": None}, "annotation 1 of {path}: center is None"),
        ({"center": [1]}, "annotation 1 of {path}: center is [1]"),
        ({"scale": "big"}, "annotation 1 of {path}: scale is 'big'"),
        ({"num_keypoints": ...}, "annotation 1 of {path}: num_keypoints is missing"),
        ({"iscrowd": ...}, "annotation 1 of {path}: iscrowd is missing"),
        ({"keypoints": ...}, "annotation 1 of {path}: keypoints is missing"),
        ({"keypoints": [1, 2]}, "annotation 1 of {path}: keypoints is [1, 2]"),
        ({"scale": 1e300}, "a box has a coordinate that is not a finite number: {path}: that of person 1"),
        ({"center": [float("nan"), 1]}, "a box has a coordinate that is not a finite number: {path}: that of person 1"),
        ({"id": "x"}, "annotations[0] of {path} has no id: it is 'x'"),
        ({"image_id": None}, "annotations[0] of {path} has no image_id: it is None"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", CENTRED)
def test_bad_faces(change: dict[str, Any], message: str, name: str, tmp_path: Path) -> None:
    faces, path = document(name), tmp_path / "faces.json"
    face = faces["annotations"][0] | change
    faces["annotations"][0] = {field: value for field, value in face.items() if value is not ...}
    path.write_text(json.dumps(faces))
    with pytest.raises(ObtainError) as error:
        load_people(name, path, tmp_path, None, None)
    assert message.format(path=path) in str(error.value)
    inspected(name, tmp_path, "faces.json", "")


@pytest.mark.parametrize("name", CENTRED)
def test_nobody_and_no_form(name: str, tmp_path: Path) -> None:
    faces, path = document(name), tmp_path / "faces.json"
    for face in faces["annotations"]:
        face["iscrowd"] = 1
    path.write_text(json.dumps(faces))
    with pytest.raises(ObtainError, match=r"no face in .*faces\.json has keypoints and a scale: 0 of 10 annotations"):
        load_people(name, path, tmp_path, None, None)
    assert inspected(name, tmp_path, "faces.json", "").found.people == 0
    path.write_text(json.dumps(faces | {"annotations": []}))
    assert inspected(name, tmp_path, "faces.json", "").found.people == 0
    with pytest.raises(ObtainError, match="0 of 0 annotations"):
        load_people(name, path, tmp_path, None, None)
    path.write_text("[]")
    with pytest.raises(ObtainError, match=r"faces\.json: it is not an object with `images` and `annotations`"):
        load_people(name, path, tmp_path, None, None)
