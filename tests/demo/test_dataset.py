"""The demo suite's data: the same on every machine, in the forms of COCO, MPII and CrowdPose, and realistic."""

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import ConfigDict
from scipy.io import loadmat

from harness.datasets.people import annotated_people, detected_people, load_people
from harness.demo import dataset
from harness.demo.annotate import COCO, CROWDPOSE, MPII
from harness.demo.dataset import Split, crowd_index, write_coco, write_crowdpose, write_mpii
from harness.metrics.box_ap import person_ap
from harness.metrics.families.pckh.truth import load_mpii
from harness.metrics.truth import load_truth
from harness.openmmlab.stand_ins import install_stand_ins
from harness.suites.metainfo import read_metainfo

install_stand_ins()


def quiet(_done: int, _total: int | None) -> None:
    """Show nothing."""


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITERS = {"coco": write_coco, "crowdpose": write_crowdpose, "mpii": write_mpii}


@pytest.mark.parametrize("form", WRITERS)
def test_equal_seeds_give_equal_files(form: str, tmp_path: Path) -> None:
    write = WRITERS[form]
    for name, part in (("one", Split("val", 0, 3)), ("two", Split("val", 0, 3)), ("other", Split("val", 1, 3))):
        write(tmp_path / name, part, quiet)
    one, two, other = (files(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


# A digest of the pixels and the annotations of three images of each, from the machine that measured the claims.
DIGESTS = {"coco": "de340ee159f6a899", "crowdpose": "30554eca950109ab", "mpii": "69386bb9436a1c26"}


@pytest.mark.parametrize("form", WRITERS)
def test_every_machine_renders_the_same(form: str, tmp_path: Path) -> None:
    WRITERS[form](tmp_path, Split("val", 0, 3), quiet)
    digest = hashlib.sha256()
    for name, content in sorted(files(tmp_path).items()):
        # The compressed bytes of a PNG depend on zlib.
        digest.update(cv2.imread(str(tmp_path / name)).tobytes() if name.endswith(".png") else content)
    assert digest.hexdigest()[:16] == DIGESTS[form]


def test_an_image_depends_on_its_number_alone(tmp_path: Path) -> None:
    write_coco(tmp_path / "few", Split("val", 0, 2), quiet)
    write_coco(tmp_path / "many", Split("val", 0, 4), quiet)
    few, many = (read(tmp_path / name / "annotations/person_keypoints_val.json") for name in ("few", "many"))
    assert few["annotations"] == many["annotations"][: len(few["annotations"])]
    for name in ("000000000001.png", "000000000002.png"):
        assert (tmp_path / "few/val" / name).read_bytes() == (tmp_path / "many/val" / name).read_bytes()


# Keypoints


@pytest.mark.parametrize(
    ("kind", "names"), [("CocoDataset", COCO), ("CrowdPoseDataset", CROWDPOSE), ("MpiiDataset", MPII)]
)
def test_keypoints_are_mmposes(kind: str, names: list[str]) -> None:
    same = {"thorax": "neck", "head_top": "top_head"}
    assert names == [same.get(name, name) for name in read_metainfo(ConfigDict(type=kind)).names]


def labelled(demo: Path) -> Any:
    """Return the keypoints [people, 17, 3] of all people with labelled keypoints."""
    document = read(demo / "demo/coco/annotations/person_keypoints_val.json")
    people = [person["keypoints"] for person in document["annotations"] if person["num_keypoints"]]
    return np.array(people).reshape(-1, 17, 3)


def test_the_left_is_on_the_right_of_who_shows_the_face(demo: Path) -> None:
    """From the front, a person's left is on the right of the image; from the back it is on the left."""
    points = labelled(demo)
    left, right, nose = COCO.index("left_shoulder"), COCO.index("right_shoulder"), COCO.index("nose")
    both = (points[:, [left, right], 2] == 2).all(axis=1)
    across = points[:, left, 0] - points[:, right, 0]
    wide = np.abs(across) > 0.12 * np.ptp(points[..., 1], axis=1)
    front = both & wide & (points[:, nose, 2] == 2)
    back = both & wide & (points[:, COCO.index("left_eye"), 2] == 0) & (points[:, COCO.index("right_eye"), 2] == 0)
    assert front.sum() > 40
    assert back.sum() > 20
    assert (across[front] > 0).mean() > 0.95
    assert (across[back] < 0).mean() > 0.95


def test_visible_keypoints_show_the_person(demo: Path) -> None:
    """Some keypoints are hidden, some unlabelled; labelled ones are inside the image and the box."""
    points = labelled(demo)
    shares = [(points[..., 2] == flag).mean() for flag in (0, 1, 2)]
    assert 0.15 < shares[0] < 0.35
    assert 0.08 < shares[1] < 0.25
    assert 0.5 < shares[2] < 0.75
    document = read(demo / "demo/coco/annotations/person_keypoints_val.json")
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    for person in document["annotations"]:
        x, y, width, height = person["bbox"]
        corner = sizes[person["image_id"]]
        assert 0 <= x < x + width <= corner[0]
        assert 0 <= y < y + height <= corner[1]
        for px, py, flag in np.array(person["keypoints"]).reshape(-1, 3):
            if flag == 2:
                assert x <= px < x + width
                assert y <= py < y + height
            assert flag or (px, py) == (0, 0)
        if not person["iscrowd"]:
            assert 0 < person["area"] <= width * height


# Statistics


def test_people_of_all_sizes_and_crowds(demo: Path) -> None:
    truth = load_truth(demo / "demo/coco/annotations/person_keypoints_val.json", 17, areas=True)
    counted = ~truth.is_crowd & (truth.num_keypoints > 0)
    areas = truth.areas[counted]
    assert 250 < counted.sum() < 450
    assert ((areas >= 32**2) & (areas < 96**2)).sum() > 100
    assert (areas >= 96**2).sum() > 70
    assert truth.is_crowd.sum() > 5
    assert (~counted & ~truth.is_crowd).sum() > 5  # too small a part of them is visible


def test_boxes_are_like_a_detectors(demo: Path) -> None:
    folder = demo / "demo/coco/annotations"
    found = person_ap(folder / "detections_val.json", folder / "person_keypoints_val.json")
    assert found.ap is not None
    assert 0.5 < found.ap < 0.7
    detections = read(folder / "detections_val.json")
    people = sum(1 for person in read(folder / "person_keypoints_val.json")["annotations"] if not person["iscrowd"])
    assert 1.4 * people < len(detections) < 2.2 * people  # includes duplicates and false boxes
    assert all(0 < detection["score"] < 1 for detection in detections)


def test_all_three_crowd_levels(demo: Path) -> None:
    truth = load_truth(demo / "demo/crowdpose/annotations/crowdpose_val.json", 14, crowd=True)
    easy, medium = (truth.crowd_indices < limit for limit in (0.2, 0.8))
    assert easy.sum() > 10
    assert (medium & ~easy).sum() > 10
    assert (~medium).sum() > 10


def test_crowd_index() -> None:
    """Two boxes, the second with 2 of its own 4 keypoints and 1 of the first's; the first has none of the second's."""
    first = ((0.0, 0.0, 10.0, 10.0), [1, 1, 2, 9, 9, 1, 50, 50, 0])
    second = ((9.0, 9.0, 10.0, 10.0), [15, 15, 2, 16, 16, 2, 30, 30, 2, 31, 31, 1])
    assert crowd_index([first]) == 0
    assert crowd_index([first, second]) == round((0 / 2 + 1 / 2) / 2, 4)
    assert crowd_index([first] + [(first[0], list(first[1])) for _ in range(3)]) == 1


def test_mpii_counts_from_one(demo: Path) -> None:
    folder = demo / "demo/mpii/annotations"
    truth = load_mpii(folder / "mpii_val.json", folder / "mpii_gt_val.mat")
    assert 120 < len(truth.joints) < 200
    assert truth.joints[truth.visible].min() >= 1
    assert (truth.joints[~truth.visible] == -1).all()
    assert truth.visible.mean() > 0.85
    assert 10 < np.median(truth.head_sizes) < 60
    # The head box contains the top of the head; its size is less than half the person's.
    boxes = loadmat(folder / "mpii_gt_val.mat")["headboxes_src"].transpose(2, 0, 1)
    top = truth.joints[:, MPII.index("top_head")]
    assert ((top > boxes[:, 0] - 1) & (top < boxes[:, 1] + 1)).all()


# Readers


def test_mmpose_lists_the_same_people(demo: Path) -> None:
    from mmpose.datasets.datasets import CocoDataset, CrowdPoseDataset, MpiiDataset

    coco, crowd, mpii = (demo / "demo" / name for name in ("coco", "crowdpose", "mpii"))
    for kind, folder, annotations in (
        (CocoDataset, coco, "annotations/person_keypoints_val.json"),
        (CrowdPoseDataset, crowd, "annotations/crowdpose_val.json"),
    ):
        boxes = folder / "annotations/detections_val.json"
        paths = {"data_root": str(folder), "ann_file": annotations, "data_prefix": {"img": "val/"}}
        theirs = kind(**paths, test_mode=True)
        ours = annotated_people(folder / annotations, folder / "val")
        assert [theirs.get_data_info(i)["id"] for i in range(len(theirs))] == ours.ids.tolist()
        theirs = kind(**paths, bbox_file=str(boxes), test_mode=True)
        assert len(theirs) == len(detected_people(boxes, folder / annotations, folder / "val", None))
    theirs = MpiiDataset(
        data_root=str(mpii),
        ann_file="annotations/mpii_val.json",
        data_prefix={"img": "val/"},
        headbox_file=str(mpii / "annotations/mpii_gt_val.mat"),
        test_mode=True,
    )
    people = load_people("MpiiDataset", mpii / "annotations/mpii_val.json", mpii / "val", None, None)
    assert len(theirs) == len(people)
    np.testing.assert_array_equal([theirs.get_data_info(i)["bbox_center"][0] for i in range(5)], people.centers[:5])


def test_training_data_is_other_data() -> None:
    assert {dataset.VAL.seed, dataset.CROWD_VAL.seed, dataset.MPII_VAL.seed} == {0}
    assert {dataset.TRAIN.seed, dataset.CROWD_TRAIN.seed, dataset.MPII_TRAIN.seed} == {1}
