"""Ids, categories and file names as other tools write them: messages name the value found and the correction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hands import Hands, annotations

WHOLE = "ids are whole numbers, the same in images, annotations and box files: write 1, not '1' or 1.0"


def all_of(kind: str, field: str, value: Callable[[Any], Any]) -> Callable[[Any], object]:
    """Return a function that changes a field of all images or annotations, or of all boxes."""
    return lambda content: [
        entry.update({field: value(entry[field])}) for entry in (content[kind] if kind else content)
    ]


CASES: dict[str, tuple[str, list[Callable[[Any], object]], list[str], list[str]]] = {
    "separators of Windows": (
        "val.json",
        [all_of("images", "file_name", lambda name: f"hands\\{name}")],
        ["3 of 3 images are missing, the first is", "separators of Windows: write / in place of each \\"],
        ["missing, 3 of 3", "separators of Windows: write / in place of each \\"],
    ),
    "text ids": (
        "val.json",
        [all_of("images", "id", str), all_of("annotations", "image_id", str)],
        ["its id is '1'", WHOLE],
        ["found '1'", WHOLE],
    ),
    "float ids": (
        "val.json",
        [all_of("images", "id", float), all_of("annotations", "image_id", float)],
        ["its id is 1.0", WHOLE],
        ["found 1.0", WHOLE],
    ),
    "names as ids": (
        "val.json",
        [all_of("images", "id", lambda n: f"im_{n}.jpg"), all_of("annotations", "image_id", lambda n: f"im_{n}.jpg")],
        ["its id is 'im_1.jpg'", WHOLE],
        ["found 'im_1.jpg'", WHOLE],
    ),
    "text image_id": (
        "val.json",
        [all_of("annotations", "image_id", str)],
        ["annotations[0] of", "has no image_id: it is '1'", WHOLE],
        ["image_id: of an image that is not listed"],
    ),
    "text ids of annotations": (
        "val.json",
        [all_of("annotations", "id", str)],
        ["has no id: it is '11'", WHOLE],
        ["found '11'", WHOLE],
    ),
    "category 0 in boxes": (
        "boxes.json",
        [all_of("", "category_id", lambda _: 0)],
        ["no person boxes in the box file", "category_id is 0", "write 1"],
        ["no box of category 1 (people): category_id is 0", "write 1"],
    ),
    "names of categories in boxes": (
        "boxes.json",
        [all_of("", "category_id", lambda _: "hand")],
        ["no person boxes in the box file", "category_id is 'hand'", "write 1"],
        ["no box of category 1 (people): category_id is 'hand'"],
    ),
    "other categories in boxes": (
        "boxes.json",
        [lambda boxes: [box.update(category_id=number) for number, box in enumerate(boxes, 2)]],
        ["category_id is 2, 3, 4 and others", "write 1"],
        ["category_id is 2, 3, 4 and others"],
    ),
    "no category in boxes": (
        "boxes.json",
        [lambda boxes: [box.pop("category_id") for box in boxes]],
        ["entry 0 has no category_id", "write 1, the category of people, in every entry"],
        ["no box of category 1 (people): category_id is missing"],
    ),
    "float ids in boxes": (
        "boxes.json",
        [all_of("", "image_id", float)],
        ["entry 0: image_id must be a whole number, not 1.0", WHOLE],
        ["image_id: not a whole number, but 1.0 in the first", WHOLE],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_found_and_how_to_mend_it(case: str, tmp_path: Path, harness: Any) -> None:
    name, changes, in_run, in_check = CASES[case]
    hands = Hands(tmp_path / "own")
    if name == "boxes.json":
        hands.replace(hands.suite, "boxes: ground-truth", "boxes: detector")
    for change in changes:
        hands.edit(name, change)
    options = ("--data", hands.data, "--weights", "random:0", "--offline", "--out", tmp_path / "out")
    for arguments, expected in (
        (("run", hands.suite, *options), in_run),
        (("check", hands.suite, *options[:2]), in_check),
    ):
        code, output, error = harness(*arguments)
        said = " ".join((output + error).split())
        assert code == 3
        for part in expected:
            assert part in said
        assert "official download" not in said
        assert "download it again" not in said


def test_hints_name_the_suite_by_its_file(tmp_path: Path, harness: Any) -> None:
    hands = Hands(tmp_path / "own")
    (hands.data / "hands" / "val.json").unlink()
    options = ("--data", hands.data, "--weights", "random:0", "--offline", "--out", tmp_path / "out")
    code, output, _ = harness("run", "own/mine.yaml", *options)
    assert code == 3
    assert "`harness fetch own/mine.yaml --dry-run` lists the missing files" in output
    hands.write("val.json", annotations())
    hands.suite.write_text(hands.suite.read_text().replace("sha256: null", 'sha256: "01234567"'))
    code, output, _ = harness("run", "own/mine.yaml", "--data", hands.data, "--offline", "--out", tmp_path / "out")
    assert code == 3
    assert "net.pth has sha256 9a129038, but the suite states 01234567" in output
    assert "1 row is not done\n" in output
    assert "harness fetch" not in output
    (hands.data / "hands" / "val.json").unlink()
    (tmp_path / "own" / "net.pth").write_bytes(b"")
    code, output, _ = harness("fetch", "own/mine.yaml", "--dry-run", "--data", hands.data)
    assert code == 0
    assert "hands/val.json" in output
    code, _, error = harness("explain", "own/mine.yaml")
    assert (code, error) == (
        2,
        "error: own/mine.yaml is a suite; name one of its rows\n  own/mine.yaml/net-64x64\n",
    )
    code, _, error = harness("explain", "own/mine.yaml/net-64x64", "--data", hands.data)
    assert code != 0
    assert "unknown suite" not in error
    code, _, error = harness("explain", "hands/net-64x64")
    assert "whose rows are mine.yaml/ROW" in error


def test_help_says_that_configs_are_executed(harness: Any) -> None:
    for verb in ("check", "fetch", "run", "explain"):
        said = " ".join(harness(verb, "--help")[1].split())
        assert "executed" in said
    assert "mine.yaml/my-" in said
