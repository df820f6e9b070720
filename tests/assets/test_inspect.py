"""Planted faults in copies of the miniature: each is found and named; complete data has none."""

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniature import Miniature
from PIL import Image
from scipy.io import loadmat, savemat

from harness.datasets.findings import find_problems, usable
from harness.datasets.inspection import DataFiles, Inspection, data_files, inspect_data
from harness.datasets.people import annotated_people, load_people
from harness.errors import ObtainError
from harness.suites.load import load_suite
from harness.suites.schema import Counts

SUITES = ("aic", "coco", "crowdpose", "humanart", "jhmdb", "mpii", "posetrack18")
COCO = "coco/annotations/person_keypoints_val2017.json"
COCO_BOXES = "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
CROWDPOSE = "crowdpose/annotations/mmpose_crowdpose_test.json"
HUMANART = "HumanArt/annotations/validation_humanart.json"
HUMANART_BOXES = "HumanArt/person_detection_results/HumanArt_validation_detections_AP_H_56_person.json"
JHMDB = "jhmdb/annotations/Sub1_test.json"
MPII = "mpii/annotations/mpii_val.json"
MPII_HEADS = "mpii/annotations/mpii_gt_val.mat"
POSETRACK = "posetrack18/annotations/posetrack18_val.json"
SEQUENCES = "posetrack18/annotations/val"


@cache
def files_of(name: str) -> DataFiles:
    suite = load_suite(name)
    rows = suite.rows if name == "humanart" else suite.rows[-1:]
    return data_files(suite.model_copy(update={"rows": rows}))[0]


def inspect(name: str, data: Path, *, decode: bool = False, **expected: int) -> Inspection:
    return inspect_data(files_of(name), data, Counts(**expected), decode=decode)


def told(inspection: Inspection, *severities: str) -> list[str]:
    """Return the problems, by default those that make the exit code 3."""
    return [str(problem) for problem in inspection.problems if problem.severity in (severities or ("fatal", "error"))]


@pytest.fixture
def data(samples: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(samples, folder, copy_function=shutil.copyfile)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def edit(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def update(field: str, index: int, **values: Any) -> Callable[[Any], object]:
    return lambda document: (document[field] if field else document)[index].update(values)


def remove(field: str, index: int, key: str) -> Callable[[Any], object]:
    return lambda document: (document[field] if field else document)[index].pop(key)


@pytest.mark.parametrize("name", SUITES)
def test_whole_data_has_no_errors_and_as_many_people_as_a_run(name: str, each_samples: Path) -> None:
    files, samples = files_of(name), each_samples
    inspection = inspect(name, samples, decode=True)
    assert told(inspection) == []
    people = load_people(files.dataset, samples / files.annotations, samples / files.images, None, None)
    assert inspection.found.people == len(people)
    assert inspection.found.on_disk == inspection.found.images
    for found, (path, threshold) in zip(inspection.found.boxes, files.boxes, strict=True):
        used = load_people(
            files.dataset, samples / files.annotations, samples / files.images, samples / path, threshold
        )
        assert (found.file, found.used) == (path, len(used))


def test_known_oddities_are_warnings(samples: Path) -> None:
    assert told(inspect("humanart", samples), "warning", "note") == [
        f"{HUMANART_BOXES}: bbox: looks like x1, y1, x2, y2; it is read as x, y, width, height"
    ]
    assert told(inspect("posetrack18", samples), "warning", "note") == [
        f"{POSETRACK}: annotation 1000303000003: keypoints: labelled outside of the image",
        f"{SEQUENCES}: 3 videos, a part of the data set: version 0.2 has 74, version 0.45 has 170",
    ]
    assert [
        told(inspect(name, samples), "warning", "note") for name in ("aic", "coco", "crowdpose", "jhmdb", "mpii")
    ] == [[]] * 5


def test_rows_on_detected_and_on_annotated_boxes_share_an_inspection() -> None:
    (files,) = data_files(load_suite("humanart"))
    assert files.ground_truth
    assert files.boxes == ((HUMANART_BOXES, None),)
    assert [files.annotations for files in data_files(load_suite("jhmdb"))] == [
        f"jhmdb/annotations/Sub{n}_test.json" for n in (1, 2, 3)
    ]


def test_counts_tell_a_part_from_another_file(samples: Path, miniature: Miniature) -> None:
    images, people, boxes = len(miniature.coco.images), miniature.coco.people, sum(miniature.coco.boxes)
    part = inspect("coco", samples, images=5000, people=6352, boxes=104125)
    assert (told(part), told(part, "warning", "note")) == (
        [],
        [f"{COCO}: {images} of 5,000 images: a part of the data set"],
    )
    assert told(inspect("mpii", samples, people=2958), "warning", "note") == [
        f"{MPII}: {miniature.mpii.people} of 2,958 people: a part of the data set"
    ]
    other = inspect("coco", samples, images=images, people=people + 1, boxes=104125)
    assert told(other) == [
        f"{COCO}: {people} people to evaluate; the file of the published numbers has {people + 1}",
        f"{COCO_BOXES}: {boxes} boxes of category 1 (people); the file of the published numbers has 104,125",
    ]
    assert told(inspect("coco", samples, images=images, people=people, boxes=boxes)) == []
    assert told(inspect("coco", samples, images=3)) == [
        f"{COCO}: {images} images; the file of the published numbers has 3"
    ]


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    assert inspect("coco", tmp_path) == Inspection(files_of("coco"), there=False, expected=Counts())


@pytest.mark.parametrize(
    ("name", "path", "change", "expected"),
    [
        (
            "coco",
            COCO,
            update("annotations", 1, area=0),
            ["annotation 22023: area: zero, negative or missing: no prediction can match such a person"],
        ),
        (
            "coco",
            COCO,
            remove("annotations", 1, "area"),
            ["annotation 22023: area: zero, negative or missing: no prediction can match such a person"],
        ),
        ("coco", COCO, update("annotations", 1, id=22023.5), ["annotation 1: id: missing, or not an integer"]),
        (
            "coco",
            COCO,
            update("annotations", 1, id=11011),
            ["annotation 11011: id: used for several annotations: the evaluator reads all of them as the last one"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, image_id=7),
            ["annotation 22023: image_id: of an image that is not listed"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, category_id=2),
            [
                "annotation 22023: category_id: not among the file's `categories`, and therefore not evaluated",
                "annotation 22023: category_id: the categories are 1 and 2, and MMPose gives all detected "
                "people category 1",
            ],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, category_id=10**30),
            ["annotation 22023: category_id: missing, or not an integer"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, keypoints=[1, 2, 2] * 21),
            ["annotation 22023: keypoints: missing, or not 17 times x, y, visibility"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, keypoints=[1, 2, 3] * 17, num_keypoints=17),
            ["annotation 22023: keypoints: a visibility that is not 0, 1 or 2"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, num_keypoints=0),
            [
                "annotation 22023: num_keypoints: contradicts the labelled keypoints: a person with 0 is not "
                "evaluated, any other person is"
            ],
        ),
        (
            "coco",
            COCO,
            update("annotations", 3, num_keypoints=2),
            [
                "annotation 22021: num_keypoints: contradicts the labelled keypoints: a person with 0 is not "
                "evaluated, any other person is"
            ],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, bbox=[10, 10, 0, 30]),
            [
                "annotation 22023: bbox: width or height is zero or negative, yet the person has keypoints: not "
                "evaluated on ground-truth boxes"
            ],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, bbox=[640, 10, 20, 30]),
            [
                "annotation 22023: bbox: outside of the image, yet the person has keypoints: not evaluated on "
                "ground-truth boxes"
            ],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, bbox=None),
            ["annotation 22023: bbox: missing, or not x, y, width, height"],
        ),
        (
            "coco",
            COCO,
            lambda document: document["images"].append(document["images"][0] | {"file_name": "000000002202.jpg"}),
            [
                "image 1101: id: used for several images: all of them are read as the last one",
                "image 1101: width, height: not the size of the image file, in the first 640x425 for 500x333",
            ],
        ),
        (
            "coco",
            COCO,
            update("images", 0, width=425, height=640),
            ["image 1101: width, height: width and height are swapped"],
        ),
        (
            "coco",
            COCO,
            update("images", 0, width=320),
            ["image 1101: width, height: not the size of the image file, in the first 320x425 for 640x425"],
        ),
        ("coco", COCO, remove("images", 0, "height"), ["image 1101: width, height: missing or invalid"]),
        ("coco", COCO, lambda document: document.pop("annotations"), ["`annotations` is not a list of objects"]),
        (
            "coco",
            COCO_BOXES,
            update("", 3, image_id=7),
            ["box 3: image_id: of an image that the annotations do not list"],
        ),
        ("coco", COCO_BOXES, update("", 3, score=99.5), ["box 3: score: missing, or not from 0 to 1"]),
        ("coco", COCO_BOXES, remove("", 3, "score"), ["box 3: score: missing, or not from 0 to 1"]),
        ("coco", COCO_BOXES, update("", 3, bbox=[1, 2, 3]), ["box 3: bbox: missing, or not four numbers"]),
        (
            "crowdpose",
            CROWDPOSE,
            remove("images", 0, "crowdIndex"),
            ["image 106: crowdIndex: missing, but AP(E), AP(M) and AP(H) need it"],
        ),
        ("crowdpose", CROWDPOSE, update("images", 0, crowdIndex=33), ["image 106: crowdIndex: not from 0 to 1"]),
        (
            "crowdpose",
            CROWDPOSE,
            remove("annotations", 1, "num_keypoints"),
            ["annotation 106001: num_keypoints: missing, but the evaluation reads it"],
        ),
        ("mpii", MPII, update("", 2, scale=0), ["person 2: scale: missing, zero or negative"]),
        ("mpii", MPII, update("", 2, joints=[[1, 2]] * 14), ["person 2: joints: missing, or not 16 times x, y"]),
        ("mpii", MPII, update("", 2, joints_vis=[2] * 16), ["person 2: joints_vis: missing, or not 16 times 0 or 1"]),
        (
            "mpii",
            MPII,
            lambda people: people.reverse(),
            [
                "people 0, 1, 3 and 1 more: joints: not the joints of the same person in "
                "mpii/annotations/mpii_gt_val.mat: the order or the people differ"
            ],
        ),
        (
            "mpii",
            MPII,
            lambda people: people.pop(),
            ["4 people, but mpii/annotations/mpii_gt_val.mat has head boxes of 5"],
        ),
    ],
)
def test_planted_errors(name: str, path: str, change: Callable[[Any], object], expected: list[str], data: Path) -> None:
    edit(data / path, change)
    inspection = inspect(name, data)
    assert told(inspection) == [f"{path}: {text}" for text in expected]
    assert all(problem.advice for problem in inspection.problems)


@pytest.mark.parametrize(
    ("name", "path", "change", "expected"),
    [
        (
            "coco",
            COCO,
            update("annotations", 1, num_keypoints=3),
            ["annotation 22023: num_keypoints: not the number of the labelled keypoints"],
        ),
        (
            "coco",
            COCO,
            update("annotations", 1, keypoints=[-5, 2, 2] * 17, num_keypoints=17),
            ["annotation 22023: keypoints: labelled outside of the image"],
        ),
        ("coco", COCO_BOXES, update("", 3, bbox=[1, 2, 0, 3]), ["box 3: bbox: width or height is zero or negative"]),
        ("coco", COCO_BOXES, update("", 3, bbox=[700, 2, 9, 3]), ["box 3: bbox: outside of the image"]),
        (
            "coco",
            COCO_BOXES,
            update("", 3, category_id=44),
            ["box 3: category_id: of a category other than people, not used"],
        ),
        (
            "coco",
            COCO_BOXES,
            lambda boxes: [box.update(image_id=1101) for box in boxes],
            ["images 2202, 3303, 4404: people are annotated, but there is no box: these people cannot be found"],
        ),
        (
            "crowdpose",
            CROWDPOSE,
            update("annotations", 0, num_keypoints=7),
            ["annotation 106000: num_keypoints: not the number of the labelled keypoints except head and neck"],
        ),
        (
            "jhmdb",
            JHMDB,
            update("annotations", 0, bbox=[0, 62, 54, 159]),
            [
                "annotation 1000002280001: bbox: begins at pixel 0, but JHMDB counts from 1: perhaps 1 is "
                "subtracted already"
            ],
        ),
    ],
)
def test_planted_oddities(
    name: str, path: str, change: Callable[[Any], object], expected: list[str], data: Path
) -> None:
    edit(data / path, change)
    inspection = inspect(name, data)
    assert told(inspection) == []
    assert [text for text in told(inspection, "warning", "note") if text.startswith(path)] == [
        f"{path}: {text}" for text in expected
    ]


def to_corners(boxes: Any) -> None:
    for box in boxes:
        x, y, width, height = box["bbox"]
        box["bbox"] = [x, y, x + width, y + height]


def test_corners_in_a_box_file(data: Path) -> None:
    edit(data / COCO_BOXES, to_corners)
    assert told(inspect("coco", data)) == [
        f"{COCO_BOXES}: bbox: looks like x1, y1, x2, y2; it is read as x, y, width, height"
    ]


def test_boxes_that_could_be_corners_but_fit_as_widths(data: Path) -> None:
    edit(data / COCO_BOXES, lambda boxes: [box.update(bbox=[1, 1, 50, 60]) for box in boxes])
    assert told(inspect("coco", data)) == []


def test_a_box_file_of_other_things(data: Path) -> None:
    edit(data / COCO_BOXES, lambda boxes: [box.update(category_id=3) for box in boxes])
    assert told(inspect("coco", data)) == [
        f"{COCO_BOXES}: category_id: no box of category 1 (people): category_id is 3"
    ]
    count = len(json.loads((data / COCO_BOXES).read_bytes()))
    of_another = f"{COCO_BOXES}: 0 boxes of category 1 (people); the file of the published numbers has {count}"
    images = len(json.loads((data / COCO).read_bytes())["images"])
    assert of_another in told(inspect("coco", data, images=images, boxes=count))
    (data / COCO_BOXES).write_text("[]")
    assert told(inspect("coco", data)) == [f"{COCO_BOXES}: it has no boxes"]
    (data / COCO_BOXES).write_text("{}")
    assert told(inspect("coco", data)) == [f"{COCO_BOXES}: it is not a list of objects"]


@pytest.mark.parametrize(("name", "path"), [("coco", COCO), ("mpii", MPII), ("posetrack18", POSETRACK)])
def test_annotations_without_people_are_fatal(name: str, path: str, data: Path) -> None:
    edit(data / path, lambda document: (document if isinstance(document, list) else document["annotations"]).clear())
    nobody = f"{path}: no person can be evaluated: 0 of 0 annotations"
    assert nobody in told(inspect(name, data), "fatal")
    with pytest.raises(ObtainError, match=re.escape(nobody)):
        usable(find_problems(files_of(name), data, (name, "without people"))[1])


def test_crowds_alone_are_no_people(data: Path) -> None:
    edit(data / JHMDB, lambda document: [person.update(iscrowd=1) for person in document["annotations"]])
    count = len(json.loads((data / JHMDB).read_bytes())["annotations"])
    assert f"{JHMDB}: no person can be evaluated: 0 of {count} annotations" in told(inspect("jhmdb", data), "fatal")


def test_files_that_are_missing_or_damaged(data: Path) -> None:
    (data / COCO_BOXES).unlink()
    (data / MPII_HEADS).unlink()
    (data / CROWDPOSE).write_bytes((data / CROWDPOSE).read_bytes()[:100])
    assert told(inspect("coco", data)) == [f"{COCO_BOXES}: missing: the detector's box file"]
    assert told(inspect("mpii", data)) == [f"{MPII_HEADS}: missing: the head boxes, which PCKh needs"]
    (problem,) = told(inspect("crowdpose", data))
    assert problem.startswith(f"{CROWDPOSE}: cannot be read: ")
    (data / COCO).unlink()
    assert told(inspect("coco", data)) == [f"{COCO}: missing: the annotation file"]


def test_images_that_are_missing_or_damaged(data: Path) -> None:
    folder = data / "coco/val2017"
    (folder / "000000001101.jpg").unlink()
    (folder / "000000002202.jpg").write_bytes(b"")
    (folder / "000000003303.jpg").write_text("<html>404</html>")
    whole = (folder / "000000004404.jpg").read_bytes()
    (folder / "000000004404.jpg").write_bytes(whole[: len(whole) // 2])
    inspection = inspect("coco", data)
    assert told(inspection) == [
        "coco/val2017: image 000000001101.jpg: missing, 1 of 5",
        "coco/val2017: image 000000002202.jpg: an empty file",
        "coco/val2017: image 000000004404.jpg: truncated: the file ends before the end of the image",
        "coco/val2017: image 000000003303.jpg: not an image that can be read",
    ]
    assert inspection.found.on_disk == 4
    (data / "mpii/images/004645041.jpg").unlink()
    assert told(inspect("mpii", data)) == ["mpii/images: image 004645041.jpg: missing, 1 of 4"]


@pytest.mark.parametrize("part", [0.03, 0.5, 0.99])
@pytest.mark.parametrize("name", ["coco", "jhmdb"])
def test_every_truncation_is_found_without_decoding(name: str, part: float, data: Path) -> None:
    folder = data / files_of(name).images
    path = sorted([*folder.rglob("*.jpg"), *folder.rglob("*.png")])[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    (problem,) = told(inspect(name, data))
    assert f"image {path.relative_to(folder).as_posix()}: " in problem
    path.write_bytes(whole + b"\0" * 100_000)  # some cameras append data
    assert told(inspect(name, data)) == []


def test_damage_inside_of_an_image_is_found_by_decoding(data: Path) -> None:
    path = data / "jhmdb/Rename_Images/catch/Frisbee_catch_f_cm_np1_ri_med_0/00001.png"
    content = bytearray(path.read_bytes())
    content[1000:1400] = bytes(400)
    path.write_bytes(content)
    assert told(inspect("jhmdb", data)) == []
    assert told(inspect("jhmdb", data, decode=True)) == [
        "jhmdb: image Rename_Images/catch/Frisbee_catch_f_cm_np1_ri_med_0/00001.png: not an image that can be read"
    ]


def test_an_orientation_in_the_file_is_no_swapped_size(data: Path) -> None:
    path = data / "coco/val2017/000000001101.jpg"
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(path, exif=exif)
    assert told(inspect("coco", data)) == []
    turned.save(path)
    assert told(inspect("coco", data)) == [f"{COCO}: image 1101: width, height: width and height are swapped"]


def test_images_nobody_needs_are_no_error(data: Path) -> None:
    edit(
        data / CROWDPOSE,
        lambda document: document["images"].append(document["images"][0] | {"id": 1, "file_name": "1.jpg"}),
    )
    inspection = inspect("crowdpose", data)
    assert told(inspection) == []
    assert told(inspection, "warning", "note") == [
        "crowdpose/images: image 1.jpg: missing; no person is evaluated in them"
    ]


def test_wrong_prefixes_are_told_with_the_right_place(data: Path) -> None:
    edit(
        data / HUMANART,
        lambda document: [i.update(file_name=i["file_name"].removeprefix("HumanArt/")) for i in document["images"]],
    )
    problems = inspect("humanart", data).problems
    (missing,) = [problem for problem in problems if problem.severity == "error"]
    assert str(missing) == (
        "images images/2D_virtual_human/digital_art/000000000011.jpg, "
        "images/3D_virtual_human/garage_kits/000000000022.jpg, images/real_human/acrobatics/000000000033.jpg: "
        "missing, 3 of 3"
    )
    assert missing.advice == (
        "file_name has another prefix than the folders: images/2D_virtual_human/digital_art/000000000011.jpg, "
        "expected in ., is at HumanArt/images/2D_virtual_human/digital_art/000000000011.jpg; move the images, or "
        "change file_name"
    )


def test_mpii_joints_from_zero(data: Path) -> None:
    edit(data / MPII, lambda people: [p.update(joints=(np.array(p["joints"]) - 1).tolist()) for p in people])
    assert told(inspect("mpii", data)) == [
        f"{MPII}: joints: counts pixels from 0: its joints are 1 less than in {MPII_HEADS}, and MPII's must count "
        "from 1"
    ]


def test_one_other_person_among_mpii_is_odd(data: Path) -> None:
    edit(data / MPII, lambda people: people[3].update(joints=people[1]["joints"]))
    inspection = inspect("mpii", data)
    assert told(inspection) == []
    assert told(inspection, "warning", "note") == [
        f"{MPII}: person 3: joints: not the joints of the same person in {MPII_HEADS}: the order or the people differ"
    ]


def test_mpii_head_boxes_of_another_form(data: Path) -> None:
    heads = loadmat(data / MPII_HEADS)
    savemat(data / MPII_HEADS, {"headboxes_src": heads["headboxes_src"][..., :3], "pos_gt_src": heads["pos_gt_src"]})
    assert told(inspect("mpii", data)) == [
        f"{MPII_HEADS}: 'headboxes_src' has shape (2, 2, 3) and 'pos_gt_src' has (16, 2, 5)"
    ]


def test_posetrack_files_of_two_versions(data: Path) -> None:
    (data / SEQUENCES / "000202_mpii_test.json").unlink()
    edit(data / POSETRACK, lambda document: document["images"].pop(0))
    edit(
        data / POSETRACK, lambda d: d.update(annotations=[a for a in d["annotations"] if a["image_id"] != 10003030000])
    )
    assert told(inspect("posetrack18", data)) == [
        f"{SEQUENCES}: image 10003030000: annotated, but not in {POSETRACK}: the people in them count as missed",
        f"{POSETRACK}: image 10002020000: in no file of {SEQUENCES}",
    ]


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        (74, ["74 videos: label version 0.2. Version 0.45 has 170, and numbers of the two differ"]),
        (100, ["100 videos, a part of the data set: version 0.45 has 170"]),
        (170, []),
        (173, []),
    ],
)
def test_posetrack_label_versions(videos: int, expected: list[str], data: Path) -> None:
    for number in range(videos - 3):
        (data / SEQUENCES / f"{number:06d}_new_test.json").write_text('{"images": [], "annotations": []}')
    inspection = inspect("posetrack18", data)
    assert told(inspection) == []
    assert inspection.found.sequences == videos
    assert told(inspection, "warning", "note")[1:] == [f"{SEQUENCES}: {text}" for text in expected]


def test_posetrack_videos_that_cannot_be_used(data: Path) -> None:
    folder = data / SEQUENCES
    edit(folder / "000303_mpii_test.json", lambda document: document["annotations"][0].pop("bbox_head"))
    (folder / "000001_old.json").write_text('{"annolist": []}')
    (folder / "000002_list.json").write_text("[]")
    assert told(inspect("posetrack18", data)) == [
        f"{SEQUENCES}/000001_old.json: in the format of PoseTrack 2017",
        f"{SEQUENCES}/000002_list.json: it is not an object with `images` and `annotations`",
        f"{SEQUENCES}: sequence 000303_mpii_test.json: bbox_head: missing, but distances are measured in units of it",
    ]
    shutil.rmtree(folder)
    assert told(inspect("posetrack18", data)) == [f"{SEQUENCES}: missing: no *.json with the ground truth of a video"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_exactly_the_broken_annotations_are_listed(choice: st.DataObject, samples: Path, data: Path) -> None:
    document = json.loads((samples / COCO).read_bytes())
    labelled = [annotation for annotation in document["annotations"] if annotation["num_keypoints"]]
    indices = st.sets(st.integers(0, len(labelled) - 1))
    flat, uncounted = choice.draw(indices), choice.draw(indices)
    for index in flat:
        labelled[index]["area"] = choice.draw(st.sampled_from([0, -1.5, None, "large", float("nan")]))
    for index in uncounted:
        labelled[index]["num_keypoints"] = 0
    (data / COCO).write_text(json.dumps(document))
    found = {
        problem.field: problem.ids
        for problem in inspect("coco", data).problems
        if problem.severity in ("fatal", "error") and problem.file == COCO
    }
    expected = {"area": flat, "num_keypoints": uncounted}
    assert found == {
        field: tuple(labelled[index]["id"] for index in sorted(broken)) for field, broken in expected.items() if broken
    }


NUMBER = st.sampled_from([-50.0, 0.0, 1.0, 99.5, 319.0, 320.0, 639.0, 640.0, 700.0])
DAMAGE = st.fixed_dictionaries(
    {},
    optional={
        "bbox": st.lists(NUMBER, min_size=4, max_size=4),
        "num_keypoints": st.sampled_from([0, 1, 17]),
        "iscrowd": st.sampled_from([0, 1, False]),
        "keypoints": st.just([-1, 0, 2] * 17)
        | st.lists(st.tuples(NUMBER, NUMBER, st.integers(0, 2)), min_size=17, max_size=17).map(
            lambda points: [number for point in points for number in point]
        ),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(DAMAGE, min_size=14, max_size=14), without_counts=st.booleans())
def test_people_are_counted_as_a_run_counts_them(
    damage: list[dict[str, Any]], without_counts: bool, samples: Path, data: Path
) -> None:
    document = json.loads((samples / COCO).read_bytes())
    for annotation, change in zip(document["annotations"], damage, strict=True):
        annotation.update(change)
        if without_counts:
            del annotation["num_keypoints"]
    (data / COCO).write_text(json.dumps(document))
    try:
        expected = len(annotated_people(data / COCO, data / "coco/val2017"))
    except ObtainError:
        expected = 0
    assert inspect("coco", data).found.people == expected


def test_jhmdb_people_are_counted_from_pixel_1(data: Path) -> None:
    edit(data / JHMDB, update("annotations", 0, keypoints=[1, 1, 2] * 15))
    assert inspect("jhmdb", data).found.people == 2
    assert len(annotated_people(data / JHMDB, data / "jhmdb", one_based=True)) == 2
