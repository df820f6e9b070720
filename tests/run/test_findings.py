"""Custom data: `harness check --data`, `run` and `score` report the same problems, before the prediction starts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness
from own_data import (
    ANNOTATIONS,
    BOXES,
    NAMES,
    annotate_as_predicted,
    edit,
    image,
    results,
    write_metainfo,
    write_own,
)
from PIL import Image

from harness.datasets.inspect.problems import Problem
from harness.predictions import Predictions
from harness.record import Record

Change = Callable[[Path], object]
RUN = ("run", "own.yaml", "--weights", "random:0", "--offline", "--out", "out")
FOLDER = Path("out/own/net-64x64/val")


@pytest.fixture
def own(harness: Harness, tmp_path: Path) -> Path:
    """Return a folder, the current one, with a custom suite and its data."""
    write_own(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps(results()))
    return tmp_path


def people(change: Callable[[dict[str, Any]], object], *chosen: int) -> Change:
    """Return a change of all people, or of those with some indices."""

    def applied(document: Any) -> None:
        for place in chosen or range(len(document["annotations"])):
            change(document["annotations"][place])

    return lambda folder: edit(folder, applied)


def document(change: Callable[[Any], object]) -> Change:
    return lambda folder: edit(folder, change)


def put(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry.update(fields)


def points(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    """Return a change of x, y and visibility, [K, 3]."""

    def applied(person: dict[str, Any]) -> None:
        person["keypoints"] = change(np.array(person["keypoints"], float).reshape(-1, 3)).ravel().tolist()

    return applied


def box(change: Callable[..., Any]) -> Callable[[dict[str, Any]], object]:
    return lambda person: person.update(bbox=list(change(*person["bbox"])))


def flag(value: int, *places: int) -> Callable[[dict[str, Any]], object]:
    def applied(array: Any) -> Any:
        array[list(places) or slice(None), 2] = value
        return array

    return points(applied)


def small_and_left(person: dict[str, Any]) -> None:
    """Move a person so that its box, as corners read as width and height, still ends inside of the image."""
    shift = np.array([person["bbox"][0] - 20, person["bbox"][1] - 30, 0])
    points(lambda array: array - shift)(person)
    person["bbox"] = [20, 30, 20 + person["bbox"][2], 30 + person["bbox"][3]]


def turn(folder: Path, *numbers: int) -> None:
    """Store photos as a phone does: rotated pixels with an orientation, and the stated size of these pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in numbers:
        with Image.open(image(folder, number)) as photo:
            photo.save(image(folder, number), exif=exif)


def sizes(change: Callable[[int, int], tuple[int, int]], *chosen: int) -> Change:
    def applied(content: Any) -> None:
        for place in chosen or range(3):
            entry = content["images"][place]
            entry["width"], entry["height"] = change(entry["width"], entry["height"])

    return document(applied)


def names(*expected: str) -> Change:
    return document(lambda content: content["categories"][0].update(keypoints=list(expected)))


def twice(field: str) -> Change:
    return document(lambda content: content[field].append(content[field][0]))


OTHER_SPELLING = ("Nose", "RightHand", "LeftHand", "foot_l", "foot_r")

CASES: dict[str, tuple[Change, str, str]] = {
    "all areas 0": (people(put(area=0)), "fatal", "area: zero, negative or missing"),
    "some areas 0": (people(put(area=0), 1, 4), "error", "annotations 2, 5: area: zero, negative or missing"),
    "a negative area": (people(put(area=-3), 1), "error", "annotation 2: area: zero, negative or missing"),
    "areas that are placeholders": (people(put(area=1)), "error", "area: 0.00015 times the box in the median"),
    "one id for all annotations": (people(put(id=0)), "fatal", "annotation 0: id: used for several annotations"),
    "one id in two images": (people(put(id=1), 3), "fatal", "annotation 1: id: used for several annotations"),
    "an annotation twice": (twice("annotations"), "warning", "annotation 1: id: listed several times"),
    "an image twice": (twice("images"), "note", "image 1: id: listed several times"),
    "one image id on two files": (
        document(lambda content: content["images"][1].update(id=1)),
        "fatal",
        "image 1: id: used for several images",
    ),
    "one image id on a file without people": (
        document(lambda content: content["images"].append(content["images"][0] | {"file_name": "2.jpg"})),
        "fatal",
        "image 1: id: used for several images",
    ),
    "num_keypoints 0 on labelled people": (
        people(put(num_keypoints=0), 2),
        "error",
        "annotation 3: num_keypoints: contradicts the labelled keypoints",
    ),
    "num_keypoints of somebody without any": (
        people(points(lambda array: array * 0), 2),
        "error",
        "annotation 3: num_keypoints: contradicts the labelled keypoints",
    ),
    "num_keypoints that are too few": (people(put(num_keypoints=3), 2), "note", "annotation 3: num_keypoints: not"),
    "visibility 0 with coordinates": (people(flag(0, 1)), "warning", "keypoints: coordinates with visibility 0"),
    "visibility 0 of one person": (people(flag(0), 2), "warning", "annotation 3: keypoints: coordinates with visib"),
    "visibility 0 throughout": (people(flag(0)), "fatal", "keypoints: coordinates with visibility 0"),
    "corners": (
        people(box(lambda x, y, w, h: (x, y, x + w, y + h))),
        "fatal",
        "bbox: looks like x1, y1, x2, y2; it is read as",
    ),
    "corners that stay inside of the image": (people(small_and_left), "fatal", "bbox: looks like x1, y1, x2, y2"),
    "centres": (
        people(box(lambda x, y, w, h: (x + w / 2, y + h / 2, w, h))),
        "fatal",
        "bbox: looks like the centre's x, y, width, height; it is read as",
    ),
    "corners of one person only": (people(box(lambda x, y, w, h: (x, y, x + w, y + h)), 1), "none", ""),
    "keypoints from 0 to 1": (
        people(points(lambda array: array / [320, 240, 1])),
        "fatal",
        "keypoints: from 0 to 1, like fractions of the image",
    ),
    "keypoints from -1 to 1": (
        people(points(lambda array: array / [160, 120, 1] - [1, 1, 0])),
        "fatal",
        "keypoints: from 0 to 1, like fractions of the image",
    ),
    "boxes from 0 to 1": (
        people(box(lambda x, y, w, h: (x / 320, y / 240, w / 320, h / 240))),
        "fatal",
        "bbox: from 0 to 1, like fractions of the image",
    ),
    "keypoints of one person from 0 to 1": (
        people(points(lambda array: array / [320, 240, 1]), 2),
        "error",
        "annotation 3: keypoints: from 0 to 1, like fractions of the image",
    ),
    "all sizes swapped": (sizes(lambda w, h: (h, w)), "fatal", "width, height: width and height are swapped"),
    "one size swapped": (sizes(lambda w, h: (h, w), 1), "error", "image 2: width, height: width and height are swapp"),
    "images that were made smaller": (
        sizes(lambda w, h: (2 * w, 2 * h)),
        "fatal",
        "width, height: not the size of the image file, in the first 640x480 for 320x240",
    ),
    "an image that has not all keypoints": (
        lambda folder: Image.new("RGB", (100, 90)).save(image(folder, 2)),
        "fatal",
        "image 2: width, height: not the size of the image file, in the first 320x240 for 100x90",
    ),
    "turned photos": (
        lambda folder: turn(folder, 1, 2, 3),
        "fatal",
        "width, height: those of the photo before the rotation by its EXIF orientation",
    ),
    "a turned photo": (
        lambda folder: turn(folder, 2),
        "error",
        "image 2: width, height: those of the photo before the rotation by its EXIF orientation",
    ),
    "left and right exchanged": (
        names("nose", "right_hand", "left_hand", "left_foot", "right_foot"),
        "fatal",
        "the keypoints are in another order than in the metainfo: number 2 is 'right_hand', which is number 3 there",
    ),
    "another order in other words": (names(*OTHER_SPELLING), "fatal", "number 2 is 'RightHand', which is number 3"),
    "a keypoint between": (
        names("nose", "neck", "left_hand", "right_hand", "left_foot"),
        "error",
        "number 3 is 'left_hand', which is number 2 there",
    ),
    "the same order in other words": (names("Nose", "LeftHand", "hand_r", "L Foot", "RIGHT_FOOT"), "none", ""),
    "sigmas ten times as large": (
        lambda folder: write_metainfo(folder, [0.5] * 5),
        "warning",
        "the metainfo: sigmas: the largest is 0.5",
    ),
    "one sigma that is large": (
        lambda folder: write_metainfo(folder, [0.05] * 4 + [0.62]),
        "warning",
        "the metainfo: sigmas: the largest is 0.62",
    ),
    "sigmas that were divided twice": (
        lambda folder: write_metainfo(folder, [0.005] * 5),
        "warning",
        "the metainfo: sigmas: the largest is 0.005",
    ),
    "a category that is not listed": (people(put(category_id=7)), "error", "category_id: not among the file's"),
    "several categories, one of them not listed": (
        people(put(category_id=7), 2),
        "fatal",
        "annotation 3: category_id: not among the file's",
    ),
    "nothing": (lambda folder: None, "none", ""),
}
ONLY_IN_IMAGES = "width, height: "


def checked(harness: Harness) -> list[Problem]:
    code, output, _ = harness("check", "own.yaml", "--data", "data", "--json")
    (data,) = json.loads(output)["data"]
    found = [Problem(**problem | {"ids": tuple(problem["ids"])}) for problem in data["problems"]]
    assert code == (3 if any(problem.severity in ("fatal", "error") for problem in found) else 0)
    return found


def warned(error: str) -> list[str]:
    return [line.removeprefix("warning: ") for line in error.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize("case", CASES)
def test_check_run_and_score_say_the_same(case: str, harness: Harness, own: Path) -> None:
    change, severity, text = CASES[case]
    change(own)
    problems = checked(harness)
    if severity == "none":
        assert problems == []
    else:
        assert [problem.severity for problem in problems if text in str(problem)] == [severity]
    sentences = [problem.sentence for problem in problems if problem.severity != "note"]
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    # `score --predictions` does not read images, nor boxes if there are areas.
    of_score = [sentence for sentence in sentences if ONLY_IN_IMAGES not in sentence]

    code, _, error = harness(*RUN)
    record = Record.load(FOLDER / "record.json")
    if fatal:
        assert (code, record.status) == (3, "unobtainable")
        assert all(str(problem) in str(record.reason) and problem.advice in str(record.reason) for problem in fatal)
        assert not (FOLDER / "predictions.parquet").exists()
    else:
        assert code == 0
        assert record.warnings == sentences == warned(error)
        code, _, error = harness("score", "out")
        assert (code, warned(error)) == (0, sentences)
        assert Record.load(FOLDER / "record.json") == record

    code, output, error = harness("score", "own.yaml", "--predictions", "results.json", "--json")
    if code == 0:
        warnings = json.loads(output)["warnings"]
        assert warned(error) == warnings
        assert [warning for warning in warnings if "'category_id' is 1 in every entry" not in warning] == of_score
    else:
        assert (code, output) == (3, "")
        assert all(str(problem) in error for problem in fatal)
    refused = [problem for problem in fatal if problem.field not in ("bbox", "width, height")]
    assert (code == 3) == bool(refused)


def test_what_a_run_wrote_is_refused_by_score_once_it_means_nothing(harness: Harness, own: Path) -> None:
    harness(*RUN)
    edit(own, lambda content: content["annotations"][0].update(id=2))
    code, _, error = harness("score", "out")
    assert code == 3
    assert "the annotation file is not the one that the run used" in error


def test_rows_that_share_files_are_inspected_once(harness: Harness, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.datasets import coco_style
    from harness.datasets.findings import find_problems
    from harness.datasets.inspect.people import inspect_people

    people(put(area=0), 1)(own)
    suite = (own / "own.yaml").read_text()
    row = suite[suite.index("  - id:") :]
    (own / "own.yaml").write_text(suite + row.replace("net-64x64", "net-64x64-again"))
    calls: list[str] = []

    def counted(file: str, *arguments: Any, **options: Any) -> Any:
        calls.append(file)
        return inspect_people(file, *arguments, **options)

    find_problems.cache_clear()
    monkeypatch.setattr(coco_style, "inspect_people", counted)
    code, output, error = harness(*RUN)
    assert (code, calls) == (0, [ANNOTATIONS])
    assert len(warned(error)) == 1
    assert "\nwarning: 2 rows: own/val.json: annotation 2: area: zero" in output


def detected(own: Path, *boxes: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    """Evaluate the custom suite on a detector's box file with one box for each image, and return its content."""
    content = [{"image_id": i, "category_id": 1, "bbox": box, "score": 0.9} for i, box in enumerate(boxes, 1)]
    (own / "data/own/boxes.json").write_text(json.dumps(content))
    suite = (own / "own.yaml").read_text().replace("boxes: ground-truth", "boxes: detector")
    (own / "own.yaml").write_text(suite.replace("images: own/images}", "images: own/images, boxes: own/boxes.json}"))
    config = (own / "net.py").read_text().replace("test_mode=True", 'test_mode=True, bbox_file="data/own/boxes.json"')
    (own / "net.py").write_text(config)
    return content


def test_score_inspects_a_new_box_file_in_the_same_process(harness: Harness, own: Path) -> None:
    boxes = detected(own, (60, 50, 70, 0), *[BOXES[0]] * 2)
    for command in (RUN, ("score", "out")):
        assert harness(*command)[0] == 0
        assert "width or height is zero" in Record.load(FOLDER / "record.json").warnings[0]
    boxes[0]["bbox"] = BOXES[0]
    (own / "data/own/boxes.json").write_text(json.dumps(boxes))
    for command in (RUN, ("score", "out")):
        assert harness(*command)[0] == 0
        assert Record.load(FOLDER / "record.json").warnings == []


def test_corners_in_a_box_file_stop_a_row(harness: Harness, own: Path) -> None:
    boxes = detected(own, *[(150, 100, 310, 230)] * 3)
    (problem,) = checked(harness)
    assert str(problem) == "own/boxes.json: bbox: looks like x1, y1, x2, y2; it is read as x, y, width, height"
    code, output, _ = harness(*RUN)
    assert code == 3
    assert f"unobtainable: {problem}\n  {problem.advice}" in output
    shares = [entry | {"bbox": [0.2, 0.2, 0.5, 0.5]} for entry in boxes]
    (own / "data/own/boxes.json").write_text(json.dumps(shares))
    (problem,) = checked(harness)
    assert problem.severity == "fatal"
    assert (
        str(problem)
        == "own/boxes.json: boxes 0, 1, 2: bbox: from 0 to 1, like fractions of the image; they are read as pixels"
    )


def test_percent(harness: Harness, own: Path) -> None:
    for number in (1, 2, 3):
        Image.new("RGB", (640, 480)).save(image(own, number))
    sizes(lambda *_: (640, 480))(own)
    assert checked(harness) == []
    people(points(lambda array: array * [100 / 320, 100 / 240, 1]))(own)
    people(box(lambda x, y, w, h: (x * 100 / 320, y * 100 / 240, w * 100 / 320, h * 100 / 240)))(own)
    (problem,) = [problem for problem in checked(harness) if problem.field != "area"]
    assert str(problem).endswith(
        "all coordinates are from 0 to 100, like percentages of larger images; they are read as pixels"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (people(lambda person: person.pop("area"), 1), "'area' of 2 in 'annotations' is missing\n  write the area in"),
        (
            people(lambda person: person.pop("keypoints"), 1),
            "'keypoints' of 2 in 'annotations' is missing\n  write x, y, visibility of each keypoint, or an empty list",
        ),
        (
            people(put(keypoints=[1, 2, 2] * 4), 1),
            "bad bbox, keypoints or image size: keypoints is [1, 2, 2, 1, 2, 2, ...]\n  bbox is x, y, width",
        ),
        (
            people(put(category_id="hand"), 1),
            "annotations of several 'category_id', not all of which are whole numbers",
        ),
    ],
    ids=["area", "keypoints", "number of keypoints", "category"],
)
def test_truth_that_cannot_be_read_is_refused_before_the_pass(
    change: Change, message: str, harness: Harness, own: Path
) -> None:
    change(own)
    code, output, _ = harness(*RUN)
    assert code == 3
    assert message in output
    assert not (FOLDER / "predictions.parquet").exists()


def left_hands(content: Any) -> Any:
    content["categories"].append({"id": 4, "name": "other", "keypoints": list(NAMES)})
    for place in (0, 3, 4):
        content["annotations"][place]["category_id"] = 4
    return content


@pytest.mark.parametrize(
    ("change", "nobody"),
    [
        (lambda content: content["annotations"][2].update(keypoints=[]), True),
        (lambda content: [person.update(keypoints=[]) for person in content["annotations"][2:]], True),
        (
            lambda content: [
                content["annotations"][2].pop("num_keypoints"),
                content["annotations"][2].update(keypoints=[]),
            ],
            True,
        ),
        (left_hands, False),
        (lambda content: [left_hands(content), content["categories"].append({"id": 9, "name": "absent"})], False),
        (
            lambda content: (
                [person.update(category_id=3) for person in content["annotations"]]
                and content["categories"][0].update(id=3)
            ),
            False,
        ),
    ],
    ids=["no keypoints", "most without", "without a count", "two categories", "an absent one", "another number"],
)
def test_as_mmpose_evaluates_it(change: Callable[[Any], object], nobody: bool, harness: Harness, own: Path) -> None:
    """A person with an empty list of keypoints is not counted, and several categories are counted separately."""
    from harness.openmmlab import xtcocotools_ext

    if xtcocotools_ext.install() == "stand-in":
        pytest.skip("MMPose's own OKS evaluator needs xtcocotools, which `nox -s tests` installs")
    harness(*RUN)
    predictions = Predictions.load(FOLDER / "predictions.parquet")
    edit(own, lambda content: annotate_as_predicted(content, predictions))
    edit(own, change)
    if nobody:
        edit(
            own,
            lambda content: [
                p.update(num_keypoints=0)
                for p in content["annotations"]
                if p["keypoints"] == [] and "num_keypoints" in p
            ],
        )
    assert harness(*RUN)[0] == 0
    ours = Record.load(FOLDER / "record.json")
    assert harness(*RUN[:-1], "upstream", "--engine", "upstream")[0] == 0
    theirs = Record.load(Path("upstream/own/net-64x64/val/record.json"))
    assert (
        ours.people
        == theirs.people
        == len(predictions)
        - nobody
        * sum(p["keypoints"] == [] for p in json.loads((own / "data" / ANNOTATIONS).read_text())["annotations"])
    )
    assert ours.metrics == theirs.metrics == theirs.upstream_metrics
    assert 0.05 < (ours.metrics["AP"] or 0) < 0.95
    code, _, _ = harness("score", "out")
    assert (code, Record.load(FOLDER / "record.json").metrics) == (0, ours.metrics)


def test_the_demo_has_no_findings(harness: Harness, demo: Path) -> None:
    code, output, _ = harness("check", "demo", "--data", demo, "--json")
    assert code == 0
    found = [problem for data in json.loads(output)["data"] for problem in data["problems"]]
    assert [problem for problem in found if problem["severity"] != "note"] == []


def test_sizes_that_the_config_contradicts(own: Path, harness: Harness) -> None:
    suite = own / "own.yaml"
    right = suite.read_text()
    sizes = "the suite contradicts the config: it states input_size 256x192, but net.py has 64x64"
    keypoints = "the suite contradicts the config: it states dataset.num_keypoints 4, but net.py has 5"
    suite.write_text(right.replace("input_size: 64x64", "input_size: 256x192").replace("points: 5", "points: 4"))
    for _ in ("predicted", "kept"):
        code, output, _ = harness(*RUN)
        assert code == 0
        assert f"warning: own/net-64x64: {sizes}" in output
        assert f"warning: own/net-64x64: {keypoints}" in output
        assert [warning.partition(",")[0] for warning in Record.load(FOLDER / "record.json").warnings[:2]] == [
            "the suite contradicts the config: it states input_size 256x192",
            "the suite contradicts the config: it states dataset.num_keypoints 4",
        ]
    suite.write_text(right)
    assert "the suite contradicts" not in harness(*RUN)[1]
    suite.write_text(right.replace("input_size: 64x64", "input_size: 256x192"))
    assert sizes in harness(*RUN)[1]
