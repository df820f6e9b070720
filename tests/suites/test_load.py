"""Invalid suite files: every message names the file, the line, the field and the allowed values."""

import copy
import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import SpecError
from harness.suites.load import load_suite
from harness.suites.schema import Suite

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SUITE = """\
schema_version: 1
name: mine
title: My table
dataset:
  name: COCO
  num_keypoints: 17
  annotations: coco/annotations/person_keypoints_val2017.json
  images: coco/val2017
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
  - id: first-256x192
    label: First
    input_size: 256x192
    boxes: ground-truth
    published:
      table: {AP: 0.749}
    runs:
      val:
        config: first.py
        checkpoint:
          url: https://example.com/first-0123abcd_20240101.pth
          sha256: "0123abcd"
  - id: second-256x192
    label: Second
    input_size: 256x192
    boxes: ground-truth
    runs:
      val:
        config: second.py
        checkpoint: {url: https://example.com/second.pth, sha256: "76543210"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_of(folder: Path, text: str) -> str:
    (folder / "mine.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_suite("mine.yaml")
    return str(caught.value)


def test_suite_itself_is_fine(folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE)
    suite = load_suite("mine.yaml")
    assert [suite.row_id(row) for row in suite.rows] == ["mine/first-256x192", "mine/second-256x192"]


def test_row_on_a_data_set_of_its_own(folder: Path) -> None:
    own = """\
    dataset:
      name: CrowdPose
      num_keypoints: 14
      annotations: crowdpose/annotations/mine.json
      images: crowdpose/images
      boxes: crowdpose/boxes.json
"""
    boxes = "    boxes: ground-truth\n"
    (folder / "mine.yaml").write_text(SUITE.replace(boxes, "    boxes: detector\n" + own, 1))
    suite = load_suite("mine.yaml")
    first, second = suite.rows
    assert suite.dataset_of(first).name == "CrowdPose"
    assert suite.annotations(first, first.runs["val"]) == "crowdpose/annotations/mine.json"
    assert suite.dataset_of(second) is suite.dataset


def test_checkpoint_beside_the_suite(folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace("https://example.com/second.pth", "weights/second.pth"))
    first, second = (row.runs["val"].checkpoint for row in load_suite("mine.yaml").rows)
    assert first.local is None
    assert second.local == Path("weights/second.pth")
    assert second.file_name == "second.pth"
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/mine.yaml").write_text((folder / "mine.yaml").read_text())
    suite = load_suite("elsewhere/mine.yaml")
    assert suite.rows[1].runs["val"].checkpoint.local == Path("elsewhere/weights/second.pth")


@pytest.mark.parametrize("url", ["net.pt", "./epoch_10.pth.tar", "../work_dirs/a_b/net.pth", "file:///a/My%20net.ckpt"])
def test_forms_of_a_checkpoints_address(url: str, folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace("https://example.com/second.pth", url))
    local = load_suite("mine.yaml").rows[1].runs["val"].checkpoint.local
    assert local == (Path("/a/My net.ckpt") if url.startswith("file") else Path(url))


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("/home/me/my net.pth", "write file:///home/me/my%20net.pth; it must be https://"),
        ("~/net.pth", "write the whole path, such as file:///home/me/net.pth; it must"),
        ("file://~/net.pth", "write the whole path, such as file:///home/me/net.pth; it must"),
        ("file://home/me/net.pth", "write file:///home/me/net.pth; it must"),
        ("C:\\weights\\net.pth", "write file:///C:/weights/net.pth; it must"),
        ("weights\\net.pth", "write weights/net.pth; it must"),
        ("my net.pth", "it must be https://host/path/net.pth, file:///path/net.pth, or a path relative to the suite's"),
        ("net.safetensors", "it must be https://host/path/net.pth, file:///path/net.pth, or a path relative to"),
    ],
)
def test_other_forms_of_a_checkpoints_address(url: str, advice: str, folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace("https://example.com/second.pth", f"'{url}'"))
    with pytest.raises(SpecError) as caught:
        load_suite("mine.yaml")
    assert f"mine.yaml:31: rows[1].runs.val.checkpoint.url: found {url!r}; {advice}" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "config: first.py",
            "confg: first.py",
            "mine.yaml:19: rows[0].runs.val: the key 'config' is missing\n"
            "mine.yaml:20: rows[0].runs.val.confg: unknown key (did you mean config?);"
            " allowed: config, checkpoint, heatmaps, annotations, published, metafile_keys,"
            " metafile_weights, metafile_config, metafile_dataset",
            id="misspelt key",
        ),
        pytest.param(
            "boxes: ground-truth\n    published",
            "boxes: groundtruth\n    published",
            "mine.yaml:15: rows[0].boxes: found 'groundtruth' (did you mean ground-truth?);"
            " allowed: detector, ground-truth",
            id="misspelt value",
        ),
        pytest.param(
            "AP: 0.749",
            'AP: "0.749"',
            "mine.yaml:17: rows[0].published.table.AP: found '0.749', a text; it must be a number, without quotes",
            id="number as text",
        ),
        pytest.param(
            "AP: 0.749",
            "AP: {value: 0.749, refted: no}",
            "mine.yaml:17: rows[0].published.table.AP.refted: unknown key (did you mean refuted?);"
            " allowed: value, published_as, refuted, gates",
            id="misspelt detail",
        ),
        pytest.param(
            "AP: 0.749",
            "AR: 0.749",
            "mine.yaml:17: rows[0].published.table.AR: unknown metric; the metrics of this suite are: AP",
            id="metric of another suite",
        ),
        pytest.param(
            "table:",
            "tabel:",
            "mine.yaml:17: rows[0].published.tabel: found 'tabel' (did you mean table?);"
            " allowed: table, page, metafile, history",
            id="unknown source",
        ),
        pytest.param(
            'sha256: "76543210"',
            "sha256: 76543210",
            "mine.yaml:31: rows[1].runs.val.checkpoint.sha256: found 76543210, a number;"
            " it must be text: put it in quotes",
            id="hash of digits",
        ),
        pytest.param(
            'sha256: "0123abcd"',
            'sha256: "0123abce"',
            "mine.yaml:21: rows[0].runs.val.checkpoint:"
            " sha256 0123abce is not the 0123abcd of the file name first-0123abcd_20240101.pth",
            id="hash that is not the file name's",
        ),
        pytest.param(
            "input_size: 256x192\n    boxes: ground-truth\n    published",
            "input_size: [256, 192]\n    boxes: ground-truth\n    published",
            "mine.yaml:14: rows[0].input_size: found [256, 192]: input should be a valid string",
            id="wrong type",
        ),
        pytest.param(
            "input_size: 256x192\n    boxes: ground-truth\n    published",
            "input_size: 256*192\n    boxes: ground-truth\n    published",
            "mine.yaml:14: rows[0].input_size: found '256*192'; it must look like 256x192: height x width",
            id="wrong form",
        ),
        pytest.param(
            "id: second-256x192",
            "id: first-256x192",
            "mine.yaml:24: rows[1].id: 'first-256x192' is already the id of rows[0]",
            id="repeated id",
        ),
        pytest.param(
            "    label: Second\n",
            "    label: Second\n    label: Another\n",
            "mine.yaml:26: the key 'label' is given twice, first in line 25",
            id="repeated key",
        ),
        pytest.param(
            "boxes: ground-truth\n    runs",
            "boxes: detector\n    runs",
            "mine.yaml:27: rows[1].boxes: detector boxes need the key 'boxes' of the dataset",
            id="no box file",
        ),
        pytest.param(
            "  annotations: coco/annotations/person_keypoints_val2017.json\n",
            "",
            "mine.yaml:18: rows[0].runs.val: the key 'annotations' is missing here and in the dataset\n"
            "mine.yaml:28: rows[1].runs.val: the key 'annotations' is missing here and in the dataset",
            id="no annotations",
        ),
        pytest.param(
            "images: coco/val2017",
            "images: /data/coco/val2017",
            "mine.yaml:8: dataset.images: found '/data/coco/val2017';"
            " it must be a path under the data folder, e.g. coco/annotations/val.json",
            id="absolute path",
        ),
        pytest.param(
            "decimals: 3}",
            "decimals: 3, tolerance: 0.001}",
            "mine.yaml:10: metrics.AP: `tolerance` and `reason` must both be given, or neither",
            id="tolerance without reason",
        ),
        pytest.param(
            "    boxes: ground-truth\n    runs:",
            "    boxes: ground-truth\n    unconfirmed: {AR: so}\n    runs:",
            "mine.yaml:28: rows[1].unconfirmed.AR: the row's table has no such metric",
            id="unconfirmed metric that is not in the table",
        ),
        pytest.param(
            "schema_version: 1", "schema_version: 2", "mine.yaml:1: schema_version: found 2; allowed: 1", id="version"
        ),
        pytest.param(
            "title: My table",
            "title: My: table",
            "mine.yaml:3: mapping values are not allowed in this context; quote text that contains a colon and a space",
            id="colon",
        ),
        pytest.param(
            "  num_keypoints",
            "\tnum_keypoints",
            "mine.yaml:6: found a tab character that violates indentation",
            id="tab",
        ),
        pytest.param("title: My table", "? [a]\n: b", "mine.yaml:3: a key must be a word", id="list as key"),
        pytest.param(
            "title: My table",
            "title: @mine",
            "mine.yaml:3: found character that cannot start any token;"
            " indent with spaces, and quote text that begins with a special character",
            id="special character",
        ),
        pytest.param("title: My table", "title: *mine", "mine.yaml:3: found undefined alias", id="alias"),
        pytest.param(
            "title: My table",
            "title: 2001-99-99",
            "mine.yaml:3: this is not a valid timestamp: month must be in 1..12",
            id="date that is none",
        ),
        pytest.param(
            "title: My table",
            "title: !!int x",
            "mine.yaml:3: this is not a valid int: invalid literal for int() with base 10: 'x'",
            id="tag of another type",
        ),
        pytest.param(
            "title: My table",
            f"title: {'[' * 100_000}",
            "mine.yaml:3: nested more than 50 deep",
            id="deep nesting, on which PyYAML crashes",
        ),
        pytest.param(
            "title: My table",
            "title: &a [*a]",
            "mine.yaml:3: the alias 'a' is inside its own anchor",
            id="alias of itself",
        ),
        pytest.param(
            "title: My table",
            "title: [&a [x, x], " + ", ".join(f"&{b} [*{a}, *{a}]" for a, b in itertools.pairwise(LETTERS)) + "]",
            "mine.yaml:3: more than 1000000 values, with all aliases expanded",
            id="aliases of aliases",
        ),
        pytest.param(
            "config: first.py",
            'config: "a\\0b"',
            "mine.yaml:20: rows[0].runs.val.config: found 'a\\x00b'; it must be the path of a file",
            id="NUL in a path",
        ),
        pytest.param(
            "config: first.py",
            f"config: {'x' * 256}",
            f"mine.yaml:20: rows[0].runs.val.config: found '{'x' * 27}...{'x' * 28}'; it must be the path of a file",
            id="path with too long a name",
        ),
        pytest.param(
            "name: mine",
            f"name: {'x' * 101}",
            f"mine.yaml:2: name: found '{'x' * 27}...{'x' * 28}': string should have at most 100 characters",
            id="name too long for a folder",
        ),
        pytest.param(
            "url: https://example.com/first-0123abcd_20240101.pth",
            "url: https://example.com/",
            "mine.yaml:21: rows[0].runs.val.checkpoint: found https://example.com/; it must end in the name of a file",
            id="URL without a file name",
        ),
        pytest.param(
            "    boxes: ground-truth\n    runs:",
            "    boxes: ground-truth\n    overrides: [{field: data_prefix, value: 5, reason: so}]\n    runs:",
            "mine.yaml:28: rows[1].overrides[0]: found 5; data_prefix must be a mapping such as {img: val2017/}",
            id="override of another type",
        ),
        pytest.param(
            "title: My table", "title: \x01", "mine.yaml:3: control characters are not allowed", id="control character"
        ),
    ],
)
def test_mistake(folder: Path, old: str, new: str, expected: str) -> None:
    assert SUITE.count(old) == 1
    assert error_of(folder, SUITE.replace(old, new)) == expected


def test_unknown_metric_lists_those_of_the_harness(folder: Path) -> None:
    message = error_of(folder, SUITE.replace("  AP: {label", "  APP: {label"))
    assert message.splitlines()[0] == (
        "mine.yaml:10: metrics.APP: found 'APP' (did you mean AP?); "
        "`harness check --json-schema` lists the allowed values"
    )


def test_many_mistakes_are_cut(folder: Path) -> None:
    message = error_of(folder, SUITE + "".join(f"key{n}: 1\n" for n in range(30)))
    assert len(message.splitlines()) == 21
    assert message.endswith("\nand 10 more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml is empty; a suite begins with `schema_version: 1`"),
        ("# nothing\n", "mine.yaml is empty; a suite begins with `schema_version: 1`"),
        ("- a\n", "mine.yaml:1: found a list; a suite is a mapping with a key `rows`"),
        ("a\n", "mine.yaml:1: found a text; a suite is a mapping with a key `rows`"),
        ("a: 1\n---\nb: 1\n", "mine.yaml:2: but found another document"),
    ],
)
def test_file_that_is_no_suite(folder: Path, text: str, expected: str) -> None:
    assert error_of(folder, text) == expected


def test_file_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"^there is no suite file none\.yaml\n  harness list shows the suites$"):
        load_suite("none.yaml")
    (folder / "folder.yaml").mkdir()
    with pytest.raises(SpecError, match=r"^folder\.yaml is a folder; a suite is a YAML file$"):
        load_suite("folder.yaml")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"^binary\.yaml cannot be read: 'utf-8' codec"):
        load_suite("binary.yaml")


def any_place(value: Any, choose: random.Random) -> tuple[Any, Any]:
    """Return a container somewhere in a nested value, and a key of it."""
    while True:
        key = choose.choice(list(value) if isinstance(value, dict) else range(len(value)))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or choose.random() < 0.2:
            return value, key
        value = inner


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=junk, choose=st.randoms(use_true_random=False))
def test_any_damage_loads_or_is_located(tmp_path: Path, junk: Any, choose: random.Random) -> None:
    data = copy.deepcopy(yaml.safe_load(SUITE))
    container, key = any_place(data, choose)
    container[key] = junk
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=False))
    messages = ""
    try:
        load_suite(path)
    except SpecError as error:
        messages = str(error)
    assert all(re.search(r"mine\.yaml:\d+: ", line) for line in messages.splitlines())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_a_spec_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SpecError, match=r"mine\.yaml(:\d+: | is empty;)"):
        load_suite(path)


def test_json_schema_describes_every_field() -> None:
    schema = Suite.model_json_schema()
    models = [schema, *(model for model in schema["$defs"].values() if model.get("type") == "object")]
    missing = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model["properties"].items()
        if "description" not in field
    ]
    assert missing == []
    assert "AR@0.75" in json.dumps(schema["properties"]["metrics"])
