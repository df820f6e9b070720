"""Messages about external predictions: the entry, the problem found there, and the solution."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.errors import ObtainError
from harness.metrics.foreign import ForeignScore, score_foreign
from harness.suites.load import load_suite
from harness.suites.schema import Counts

from .test_foreign import npy, posetrack_predictions, write_sequences
from .upstream import write

ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"
Entry = dict[str, Any]


def people(images: int = 4, category: int = 1) -> dict[str, Any]:
    """Return a COCO document with three people in every image."""
    rng = np.random.default_rng(0)
    annotations = []
    for number in range(3 * images):
        x, y = rng.uniform(20, 300, 2)
        points = np.column_stack([rng.uniform([x, y], [x + 120, y + 120], (17, 2)).round(1), np.full(17, 2)])
        annotations.append(
            {"id": number + 1, "image_id": number // 3 + 1, "category_id": category, "iscrowd": 0, "area": 9900.0}
            | {"keypoints": points.ravel().tolist(), "num_keypoints": 17, "bbox": [x, y, 120, 120]}
        )
    return {
        "images": [{"id": i + 1, "file_name": f"f_{i + 1}.jpg", "width": 640, "height": 480} for i in range(images)],
        "annotations": annotations,
        "categories": [{"id": category, "name": "person"}],
    }


def poses(document: dict[str, Any], third: Any = 0.9, scale: float = 1) -> list[Entry]:
    """Return a pose on each annotated person, with this third number."""
    found = []
    for number, person in enumerate(document["annotations"]):
        points: list[Any] = [value * scale for value in person["keypoints"]]
        points[2::3] = [third] * 17
        found.append(
            {"image_id": person["image_id"], "category_id": 1, "keypoints": points, "score": 0.9 - number / 100}
        )
    return found


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., ForeignScore]:
    def scored(entries: Any, document: dict[str, Any] | None = None, **options: Any) -> ForeignScore:
        path = tmp_path / "data" / ANNOTATIONS
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, document or people())
        coco = load_suite("coco")
        whole = coco.model_copy(update={"dataset": coco.dataset.model_copy(update={"counts": None})})
        return score_foreign(whole, write(tmp_path / "found.json", entries), tmp_path / "data", **options)

    return scored


def pycocotools_ap(document: dict[str, Any], entries: list[Entry], images: list[int] | None = None) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(entries), "keypoints")
        evaluator.params.imgIds = images or evaluator.params.imgIds
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return float(evaluator.stats[0])


Score = Callable[..., ForeignScore]


@pytest.mark.parametrize("third", [0, -3.2, 0.0, -1])
@pytest.mark.parametrize("share", [1, 2])
def test_poses_that_the_evaluator_drops(score: Score, third: float, share: int) -> None:
    document = people()
    entries = poses(document)
    for entry in entries[::share]:
        entry["keypoints"][2::3] = [third] * 17
    count = len(entries[::share])
    found = score(entries)
    assert (found.metrics["AP"] == 0) == (share == 1)
    (warning,) = found.warnings
    assert warning.startswith(f"{count} of 12 poses do not count, the first is entry 0: none of their third numbers")
    assert warning.endswith("Write scores above 0 (the sigmoid of logits), or 1 for all")
    assert pycocotools_ap(document, entries) == pytest.approx(1)  # as stated in the warning
    mended = score(poses(document, 1))
    assert mended.metrics["AP"] == pytest.approx(1)
    assert mended.warnings == ()


@settings(max_examples=10, deadline=None)
@given(images=st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True))
def test_images_without_a_pose(tmp_path_factory: pytest.TempPathFactory, images: list[int]) -> None:
    document, folder = people(5), tmp_path_factory.mktemp("partial")
    document["annotations"] = [person for person in document["annotations"] if person["image_id"] != 5]
    (folder / ANNOTATIONS).parent.mkdir(parents=True)
    write(folder / ANNOTATIONS, document)
    entries = poses(people(5))
    for entry in entries[::2]:
        entry["keypoints"][0:51:3] = [x + 9 for x in entry["keypoints"][0::3]]
    entries = [entry for entry in entries if entry["image_id"] in images]
    found = score_foreign(load_suite("coco"), write(folder / "found.json", entries), folder)
    with_people = sorted({*images} - {5})
    assert found.coverage is not None
    assert (found.coverage.images, found.coverage.images_without_pose) == (4, 4 - len(with_people))
    assert (found.coverage.people, found.coverage.people_without_pose) == (12, 12 - 3 * len(with_people))
    assert found.metrics["AP"] == pytest.approx(pycocotools_ap(document, entries), abs=1e-9)
    if len(with_people) == 4:
        assert found.coverage.metrics is None
    elif with_people:
        assert found.coverage.metrics is not None
        expected = pycocotools_ap(document, entries, images)
        assert found.coverage.metrics["AP"] == pytest.approx(expected, abs=1e-9)


def test_half_of_the_images_and_none(score: Score) -> None:
    document = people()
    half = [entry for entry in poses(document) if entry["image_id"] < 3]
    for options in ({}, {"nms": "oks", "score_mode": "keypoint"}):
        found = score(half, **options)
        assert found.coverage is not None
        assert found.coverage.metrics is not None
        assert found.metrics["AP"] == pytest.approx(0.505, abs=5e-4)
        assert found.coverage.metrics["AP"] == pytest.approx(1)
        assert str(found.coverage) == "no pose in 2 of 4 images with people, which have 6 of 12 people"
    nothing = score([])
    assert nothing.coverage is not None
    assert (nothing.coverage.people_without_pose, nothing.coverage.metrics) == (12, None)


def test_what_the_command_says(harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "data" / ANNOTATIONS
    path.parent.mkdir(parents=True)
    document = people()
    write(path, document)
    write(tmp_path / "found.json", [entry for entry in poses(document, None) if entry["image_id"] < 3])
    code, out, err = harness("score", "coco", "--predictions", "found.json")
    lines = out.splitlines()
    assert code == 0
    part, _, found = err.partition("\n")
    assert part.endswith("4 of 5,000 images: metrics of a part do not compare with published values")
    assert found.startswith("warning: third numbers of 6 poses are null, the first in entry 0, and read as 1; write")
    assert lines[1] == "  AP           0.5049504950"
    assert lines[11] == "no pose in 2 of 4 images with people, which have 6 of 12 people; without them:"
    assert lines[12].split() == ["AP", "1.0000000000"]
    stated = json.loads(harness("score", "coco", "--predictions", "found.json", "--json")[1])
    assert stated["coverage"]["metrics"]["AP"] == pytest.approx(1)
    assert stated["coverage"]["images_without_pose"] == 2
    assert len(stated["warnings"]) == 2


def test_null_third_numbers(score: Score) -> None:
    entries = poses(people())
    entries[5]["keypoints"][2::3] = [None] * 17
    entries[7]["keypoints"][2] = None
    found = score(entries)
    assert found.metrics["AP"] == pytest.approx(1)
    assert found.warnings[0].startswith("third numbers of 2 poses are null, the first in entry 5, and read as 1; write")


@pytest.mark.parametrize(
    ("change", "found", "advice"),
    [
        ({"image_id": "frame_1"}, "'image_id' of entry 4 must be a whole number, not 'frame_1'", "map by file_name: "),
        ({"image_id": "a\\f_1.jpg"}, r"not 'a\\f_1.jpg'", r"image of this 'file_name' (with / for each \)"),
        ({"image_id": None}, "'image_id' of entry 4 must be a whole number, not None", "map by file_name: "),
        ({"image_id": 1.5}, "not 1.5", "map by file_name: write the 'id' in the annotations of the image"),
        ({"image_id": True}, "not True", "map by file_name: "),
        ({"image_id": [1]}, "not [1]", "map by file_name: "),
        ({"image_id": 77}, "does not have, such as 77 (entry 4)", "map by file_name: "),
        (
            {"keypoints": [5.0] * 34},
            "entry 4 must be 51 numbers, not 34 values",
            "add a third number after each x and y: the",
        ),
        ({"keypoints": [[5, 5, 1]] * 17}, "must be 51 numbers, not 17 values", "write all numbers in one list: x, y, "),
        ({"keypoints": [5.0] * 63}, "not 63 values", "these are 21 keypoints, but the data set has 17: score under"),
        ({"keypoints": [5.0] * 50}, "not 50 values", "write x, y and score of 17 keypoints"),
        ({"keypoints": None}, "'keypoints' of entry 4 must be 51 numbers, not None", ""),
        ({"keypoints": [None, 5, 1] * 17}, "number 4: null or NaN", "write 0, 0, 0 for a keypoint that was not"),
        ({"category_id": 3}, "of several 'category_id': 1 in entry 0, 3 in entry 4", "keep the entries of people only"),
        ({"category_id": ...}, "entry 4 has no 'category_id'", 'add "category_id": 1, as in other entries'),
        (
            {"category_id": 10**30},
            "'category_id' of entry 4 must be a whole number below 2^53, not 1000000",
            "write the number of its category in the annotations",
        ),
        ({"image_id": 10**30}, "'image_id' of entry 4 must be a whole number, not 1000000", "map by file_name: "),
        ({"score": ...}, "entry 4 has no 'score'", "write the confidence of the pose, or 1"),
        ({"score": None}, "'score' of 1 pose is not finite, the first is number 4: null or NaN", "a finite number"),
        ({"score": "high"}, "'score' of entry 4 must be one number, not 'high'", "write the confidence"),
        ({"score": "0.5"}, "'score' of entry 4 must be one number, not '0.5'", "write the confidence of the pose, or"),
        (
            {"keypoints": ["5.0"] * 51},
            "'keypoints' of entry 4 must be 51 numbers, not ['5.0', ",
            "write 51 finite numbers, without quotes",
        ),
        ({"score": True}, "'score' of entry 4 must be one number, not True", "write the confidence of the pose, or"),
        ({"keypoints": [True] * 51}, "'keypoints' of entry 4 must be 51 numbers, not [True, ", "no true or false"),
        ({"keypoints": [*[5.0] * 50, "1"]}, "'keypoints' of entry 4 must be 51 numbers, not [5.0, ", "without quotes"),
        ({"image_id": ...}, "'image_id' of entry 4 must be a whole number, not None", "map by file_name: "),
    ],
)
def test_refusals_name_the_entry_and_the_way_out(score: Score, change: Entry, found: str, advice: str) -> None:
    entries = poses(people())
    entries[4] = {key: value for key, value in {**entries[4], **change}.items() if value is not ...}
    with pytest.raises(ObtainError) as caught:
        score(entries)
    message = str(caught.value)
    assert "found.json: " in message
    assert found in message.splitlines()[0]
    assert advice in message.partition("\n")[2]


@pytest.mark.parametrize("height", ["4", True])
def test_a_box_of_text_or_of_a_boolean(score: Score, height: Any) -> None:
    entries = [entry | {"bbox": [1, 2, 3, 4]} for entry in poses(people())]
    entries[4]["bbox"] = [1, 2, 3, height]
    with pytest.raises(ObtainError, match=rf"'bbox' of entry 4 must be 4 numbers, not \[1, 2, 3, {height!r}\]"):
        score(entries)


@pytest.mark.parametrize("write_id", [float, str, lambda number: f"{number:012d}"])
def test_ids_that_are_numbers_all_the_same(score: Score, write_id: Callable[[int], Any]) -> None:
    entries = poses(people())
    for entry in entries[3:]:
        entry["image_id"] = write_id(entry["image_id"])
    found = score(entries)
    assert found.metrics["AP"] == pytest.approx(1)
    shown = repr(write_id(2))
    assert found.warnings == (
        f"found.json: 9 times, 'image_id' is not written as a whole number, first in entry 3: {shown}, "
        "read as 2; write 2",
    )


@pytest.mark.parametrize(("annotated", "stated"), [(1, 0), (0, 1), (5, 1), (1, "1"), (5, 5), (1, None), (1, 1.0)])
def test_categories(score: Score, annotated: int, stated: Any) -> None:
    document = people(category=annotated)
    entries = poses(document)
    for entry in entries:
        entry["category_id"] = stated
    if stated is None:
        entries = [{key: value for key, value in entry.items() if key != "category_id"} for entry in entries]
    found = score(entries, document)
    assert found.metrics["AP"] == pytest.approx(1)
    expected = f"'category_id' is {stated!r} in every entry, but {annotated} in the annotations; the poses are"
    assert [warning.startswith(expected) for warning in found.warnings] == (
        [] if stated in (None, annotated) else [True]
    )


def test_categories_where_each_is_evaluated_alone(score: Score) -> None:
    """The entry of a pose states its species; like pycocotools, the mean leaves out species without annotations."""
    document = people()
    document["categories"] = [{"id": number, "name": str(number)} for number in (1, 4, 6)]
    for one in document["annotations"][:6]:
        one["category_id"] = 4
    entries = poses(document)
    for number, entry in enumerate(entries):
        entry["category_id"] = 1 if number >= 6 else 4 if number >= 2 else 6
    found = score(entries, document)
    assert found.metrics["AP"] == pytest.approx(pycocotools_ap(document, entries))
    assert 0.7 < (found.metrics["AP"] or 0) < 0.9
    (warning,) = (one for one in found.warnings if "do not count" in one)
    assert warning.startswith("2 of 12 poses do not count, the first is entry 0: no annotation has their 'category_id'")

    for entry in entries:
        entry["category_id"] = 6
    with pytest.raises(ObtainError, match=r"no 'category_id' of 6 is annotated; the annotations have 2, each .*: 1, 4"):
        score(entries, document)
    for entry in entries:
        del entry["category_id"]
    with pytest.raises(ObtainError, match=r"no entry has a 'category_id'; the annotations have 2"):
        score(entries, document)


def test_coordinates_that_are_no_pixels(score: Score) -> None:
    document = people()
    for scale, shift in ((1 / 640, 0), (2 / 640, -1), (1 / 400, 0)):  # of the image; from its middle; a bit beyond it
        entries = poses(document, scale=scale)
        for entry in entries:
            entry["keypoints"] = [v + (shift if i % 3 < 2 else 0) for i, v in enumerate(entry["keypoints"])]
        with pytest.raises(
            ObtainError, match=r"found\.json: keypoints of 12 of 12 poses lie in 0\.\.1, first those of"
        ):
            score(entries)
    some = poses(document)
    some[2:4] = poses(document, scale=1 / 640)[2:4]
    (warning,) = score(some).warnings
    assert warning.startswith("keypoints of 2 of 12 poses lie in 0..1, first those of number 2: 0.")
    assert warning.endswith("write pixels of the whole image: multiply x by its width and y by its height")
    assert score(poses(document, scale=0)).warnings == ()  # no person was predicted


# Counts of the suite


def test_a_part_is_told_by_people_if_the_suite_counts_no_images(samples: Path, tmp_path: Path) -> None:
    suite = load_suite("mpii")
    joints = [person["joints"] for person in json.loads((samples / "mpii/annotations/mpii_val.json").read_text())]
    own = suite.dataset.model_copy(update={"counts": Counts(people=len(joints))})
    whole = suite.model_copy(update={"dataset": own})
    found = npy(tmp_path / "found.npy", joints)
    part = f"the annotations have {len(joints)} of 2,958 people: metrics of a part do not compare with published values"
    assert [warning for warning in score_foreign(suite, found, samples).warnings if "a part" in warning] == [part]
    assert not [warning for warning in score_foreign(whole, found, samples).warnings if "a part" in warning]


def test_counts_are_those_of_the_own_file_of_a_data_set(samples: Path, tmp_path: Path) -> None:
    suite = load_suite("aflw")
    faces = json.loads((samples / "aflw/annotations/face_landmarks_aflw_test.json").read_text())["annotations"]
    points = np.array([np.reshape(face["keypoints"], (19, 3))[:, :2] for face in faces])
    own = suite.dataset.model_copy(
        update={"counts": Counts(images=9999), "annotations": "aflw/annotations/face_landmarks_aflw_test_frontal.json"}
    )
    found = npy(tmp_path / "found.npy", points)
    score = score_foreign(suite.model_copy(update={"dataset": own}), found, samples, run="full")
    assert not [warning for warning in score.warnings if "9,999" in warning]
    stated = own.model_copy(update={"annotations": "aflw/annotations/face_landmarks_aflw_test.json"})
    score = score_foreign(suite.model_copy(update={"dataset": stated}), found, samples, run="full")
    assert "of 9,999 images" in score.warnings[0]


# Arrays


@pytest.mark.parametrize("nobody", [0.0, -1.0, np.nan])
def test_nme_is_undefined_if_a_face_was_not_predicted(samples: Path, tmp_path: Path, nobody: float) -> None:
    document = json.loads((samples / "aflw/annotations/face_landmarks_aflw_test.json").read_text())
    found = np.array([np.reshape(face["keypoints"], (19, 3))[:, :2] for face in document["annotations"]]) + 1.0

    def score() -> ForeignScore:
        return score_foreign(load_suite("aflw"), npy(tmp_path / "found.npy", found), samples, run="full")

    whole = score()
    found[1] = nobody
    part = score()
    assert part.metrics == {"NME": None}
    assert part.coverage is not None
    assert part.coverage.metrics is not None
    assert 0 < (part.coverage.metrics["NME"] or 0) < 2 * (whole.metrics["NME"] or 0)
    text = f"NME is undefined: 1 of {len(found)} people have no pose; write a pose for each person"
    assert part.warnings == (*whole.warnings, text)


@pytest.mark.parametrize("nobody", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("name", ["mpii", "jhmdb"])
def test_rows_of_people_who_were_not_predicted(samples: Path, tmp_path: Path, name: str, nobody: float) -> None:
    suite = load_suite(name)
    run = "sub1" if name == "jhmdb" else None
    if name == "mpii":
        document = json.loads((samples / "mpii/annotations/mpii_val.json").read_text())
        truth = np.array([person["joints"] for person in document])
    else:
        document = json.loads((samples / "jhmdb/annotations/Sub1_test.json").read_text())["annotations"]
        truth = np.array([np.reshape(person["keypoints"], (15, 3))[:, :2] for person in document])
    whole = score_foreign(suite, npy(tmp_path / "whole.npy", truth), samples, run=run, one_based=True)
    assert whole.coverage is not None
    assert (whole.coverage.people_without_pose, whole.coverage.metrics) == (0, None)
    measure = next(iter(whole.metrics))
    truth[1] = nobody
    found = score_foreign(suite, npy(tmp_path / "found.npy", truth), samples, run=run, one_based=True)
    assert found.coverage is not None
    assert str(found.coverage) == f"no pose of 1 of {len(truth)} people"
    assert found.coverage.metrics is not None
    assert found.coverage.metrics[measure] == whole.metrics[measure] == pytest.approx(1)
    assert 0 < (found.metrics[measure] or 0) < 1
    with pytest.raises(ObtainError, match=r"keypoints of \d+ of \d+ poses lie in 0\.\.1, .*\n  write pixels"):
        score_foreign(suite, npy(tmp_path / "small.npy", truth / 2000), samples, run=run)
    scored = npy(tmp_path / "scored.npy", np.concatenate([truth, truth[..., :1]], axis=-1))
    with pytest.raises(ObtainError, match=r"found \(.*, 3\)\n  leave out the scores: keypoints\[\.\.\., :2\]"):
        score_foreign(suite, scored, samples, run=run)
    with pytest.raises(
        ObtainError, match=r"found \(.*\)\n  write a row for each annotated person, in their order, with NaN"
    ):
        score_foreign(suite, npy(tmp_path / "few.npy", truth[1:]), samples, run=run)


# PoseTrack18


def test_posetrack_findings(samples: Path, tmp_path: Path) -> None:
    val, suite = samples / "posetrack18" / "annotations" / "val", load_suite("posetrack18")
    folder = write_sequences(tmp_path / "found", val, posetrack_predictions(val, 0))
    whole = score_foreign(suite, folder, samples)
    assert whole.coverage is not None
    assert (whole.coverage.images_without_pose, whole.coverage.people_without_pose, whole.warnings) == (0, 0, ())
    path = max(folder.glob("*.json"), key=lambda path: len(json.loads(path.read_text())["annotations"]))
    document = json.loads(path.read_text())
    for person in document["annotations"]:
        person["keypoints"][2::3] = [None] * 17  # its scores are in another field
    write(path, document)
    assert score_foreign(suite, folder, samples).metrics == whole.metrics
    frames = len({person["image_id"] for person in document["annotations"]})
    write(path, document | {"annotations": []})
    found = score_foreign(suite, folder, samples)
    assert found.coverage is not None
    assert found.coverage.images_without_pose == frames
    assert found.coverage.metrics is not None
    assert found.coverage.metrics["AP"] == pytest.approx(1)
    assert (found.metrics["AP"] or 0) < 1
    image_id = document["annotations"][0]["image_id"]
    for odd in (str(image_id), float(image_id)):
        document["annotations"][0]["image_id"] = odd
        write(path, document)
        (warning,) = score_foreign(suite, folder, samples).warnings
        assert warning.startswith(
            f"{path.name}: 1 time, 'image_id' is not written as a whole number, first in annotation 0"
        )
    document["annotations"][0]["image_id"] = "images/f.jpg"
    write(path, document)
    with pytest.raises(
        ObtainError, match=r"'image_id' of annotation 0 must be a whole number, not 'im.*\n  map by file"
    ):
        score_foreign(suite, folder, samples)
    document["annotations"][0].update(image_id=image_id, keypoints=[5.0] * 34)
    write(path, document)
    with pytest.raises(ObtainError, match=r"'keypoints' of annotation 0 must be 51 numbers, not 34 v.*\n  add a third"):
        score_foreign(suite, folder, samples)
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text())
        for person in document["annotations"]:
            person["keypoints"] = [float(value or 0) / 5000 for value in (person["keypoints"] * 2)[:51]]
        write(path, document)
    with pytest.raises(ObtainError, match=r"poses lie in 0\.\.1, .*\n  write pixels of the whole image"):
        score_foreign(suite, folder, samples)
