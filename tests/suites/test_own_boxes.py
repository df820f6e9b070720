"""A row is evaluated on the boxes of the suite, or the annotated ones, independently of its config."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import Hands, boxes

from harness.errors import SpecError
from harness.predictions import Predictions
from harness.suites.configs import load_config
from harness.suites.ledger import data_paths, protocol_without_files
from harness.suites.load import load_suite

OTHER = 'bbox_file="data/hands/other.json", '


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path)


def loaded(hands: Hands) -> Any:
    suite = load_suite(hands.suite)
    return load_config(suite, suite.rows[0], suite.rows[0].runs["val"])


@pytest.mark.parametrize(
    "stated", ["", OTHER, 'bbox_file="data/hands/../hands/boxes.json", ', 'bbox_file="", '], ids=str
)
@pytest.mark.parametrize("source", ["detector", "ground-truth"])
def test_the_suite_decides(hands: Hands, stated: str, source: str) -> None:
    hands.replace(hands.suite, "boxes: ground-truth", f"boxes: {source}")
    hands.replace(hands.config, 'ann_file="val.json", ', f'ann_file="val.json", {stated}')
    config = loaded(hands)
    found = protocol_without_files(config).boxes
    assert found.source == source
    assert (found.file and found.file.path) == ("hands/boxes.json" if source == "detector" else None)
    assert "hands/other.json" not in data_paths(config)
    assert ("hands/boxes.json" in data_paths(config)) is (source == "detector")


def test_boxes_of_a_row_with_a_data_set_of_its_own(hands: Hands) -> None:
    own = "{name: Hands, num_keypoints: 21, annotations: hands/val.json, images: hands/images, boxes: hands/own.json}"
    hands.replace(hands.suite, "boxes: ground-truth", f"boxes: detector\n    dataset: {own}")
    file = protocol_without_files(loaded(hands)).boxes.file
    assert file is not None
    assert file.path == "hands/own.json"


def test_an_override_that_contradicts_the_row(hands: Hands) -> None:
    change = "overrides: [{field: bbox_file, value: data/hands/other.json, reason: so}]"
    hands.replace(hands.suite, "boxes: ground-truth", f"boxes: detector\n    {change}")
    with pytest.raises(SpecError, match=r"bbox_file is data/hands/other\.json, but .* are data/hands/boxes\.json"):
        loaded(hands)
    hands.replace(hands.suite, "boxes: detector", "boxes: ground-truth")
    with pytest.raises(SpecError, match="but the boxes of the row are ground-truth"):
        loaded(hands)


def test_another_annotation_file_than_the_rows_is_refused(hands: Hands) -> None:
    hands.replace(hands.suite, "annotations: hands/val.json", "annotations: hands/test.json")
    with pytest.raises(
        SpecError, match=r"it is data/hands/val\.json below data_root, but .* are data/hands/test\.json"
    ):
        loaded(hands)


def test_check_warns_of_other_boxes(hands: Hands, harness: Any) -> None:
    hands.replace(hands.suite, "boxes: ground-truth", "boxes: detector")
    assert harness("check", hands.suite)[:2] == (0, "hands  1 row, 1 run, 1 agree\n")
    hands.replace(hands.config, 'ann_file="val.json", ', f'ann_file="val.json", {OTHER}')
    code, output, _ = harness("check", hands.suite)
    assert code == 0
    assert "Warnings" in output
    assert "boxes data/hands/boxes.json, data/hands/other.json" in output
    assert "the row's boxes are evaluated, not those of the config" in output


def test_both_engines_predict_in_them(hands: Hands, harness: Any, tmp_path: Path) -> None:
    hands.replace(hands.suite, "boxes: ground-truth", "boxes: detector")
    found = {}
    for engine in ("shared", "upstream"):
        out = tmp_path / engine
        options = ("--data", hands.data, "--weights", "random:0", "--offline", "--engine", engine, "--out", out)
        assert harness("run", hands.suite, *options)[0] == 0
        folder = out / "hands" / "net-64x64" / "val"
        protocol = json.loads((folder / "protocol.json").read_text())
        assert protocol["boxes"]["file"]["path"] == "hands/boxes.json"
        found[engine] = Predictions.load(folder / "predictions.parquet")
    shared, upstream = found["shared"], found["upstream"]
    expected = np.array([box["bbox"] for box in boxes()], np.float32)
    order = np.argsort(shared.person_ids)
    np.testing.assert_array_equal(shared.boxes[order, :2], expected[:, :2])
    np.testing.assert_array_equal(shared.boxes[order], upstream.boxes[np.argsort(upstream.person_ids)])
    np.testing.assert_array_equal(shared.keypoints[order], upstream.keypoints[np.argsort(upstream.person_ids)])
