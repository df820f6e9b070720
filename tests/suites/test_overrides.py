"""Overrides of a config's model, evaluators and data sets; rows that cannot be run."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Harness
from mmengine.config import Config

from harness.errors import ObtainError, SpecError
from harness.suites.audit import audit_suite
from harness.suites.configs import load_config
from harness.suites.load import load_suite
from harness.suites.overrides import changes_nothing, override, stated
from harness.suites.schema import Override, Suite

SUITE = """
schema_version: 1
name: mine
title: Mine
dataset:
  name: COCO
  num_keypoints: 17
  annotations: coco/annotations/person_keypoints_val2017.json
  images: coco/val2017
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
  - id: vit
    label: ViT
    input_size: 256x192
    boxes: ground-truth
    published: {page: {AP: 0.7}}
    runs:
      val:
        config: CONFIG
        checkpoint: {url: https://example.com/vit-0123abcd.pth, sha256: 0123abcd}
"""
VIT = "body_2d_keypoint/topdown_heatmap/humanart/td-hm_ViTPose-large_8xb64-210e_humanart-256x192.py"


def change(field: str, value: Any) -> Override:
    return Override(field=field, value=value, reason="so")


def suite_of(folder: Path, more: str = "", config: str = VIT) -> Suite:
    (folder / "mine.yaml").write_text(SUITE.replace("CONFIG", config) + more)
    return load_suite(folder / "mine.yaml")


def config() -> Config:
    dataset = {"type": "CocoDataset", "data_root": "data/coco/"}
    return Config(
        {
            "model": {"backbone": {"type": "ViT", "cls": False}, "neck": [{"type": "A"}, {"type": "B"}]},
            "val_dataloader": {"dataset": dict(dataset)},
            "test_dataloader": {"dataset": dict(dataset)},
            "val_evaluator": [{"type": "PCK", "thr": 0.2}],
            "test_evaluator": [{"type": "PCK", "thr": 0.2}],
        }
    )


def test_fields_of_model_evaluators_and_data_sets_change() -> None:
    changed = config()
    overrides = [
        change("model.backbone.type", "mmpretrain.VisionTransformer"),
        change("model.backbone.cls", None),
        change("model.neck.1.type", "C"),
        change("test_evaluator.0.thr", 0.05),
        change("type", "HumanArtDataset"),
        change("custom_imports", {"imports": ["mine"]}),
    ]
    assert not any(changes_nothing(changed, one) for one in overrides)
    override(changed, overrides)
    assert changed.model.to_dict() == {
        "backbone": {"type": "mmpretrain.VisionTransformer"},
        "neck": [{"type": "A"}, {"type": "C"}],
    }
    for name in ("val", "test"):
        assert changed[f"{name}_evaluator"][0]["thr"] == 0.05
        assert changed[f"{name}_dataloader"].dataset.type == "HumanArtDataset"
    assert changed.custom_imports.imports == ["mine"]
    assert all(changes_nothing(changed, one) for one in overrides)


def test_a_validation_by_another_evaluator_stays() -> None:
    changed = config()
    changed.val_evaluator = {"type": "EPE"}
    override(changed, [change("test_evaluator.0.thr", 0.05)])
    assert changed.test_evaluator[0]["thr"] == 0.05
    assert changed.val_evaluator.to_dict() == {"type": "EPE"}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("model.nack.type", "A", "None has no entry type"),
        ("model.backbone.type.x", 1, "'ViT' has no entry x"),
        ("model.neck.2.type", "C", "[{'type': 'A'}, {'type': 'B'}] has no entry 2"),
        ("model.neck.1", None, "an entry of a list, 1, cannot be removed"),
    ],
)
def test_a_path_that_leads_nowhere(field: str, value: Any, problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        override(config(), [change(field, value)])
    assert f"override of {field} does not match config" in str(raised.value)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("optimizer", 1, "it must be a field of the data set (ann_file, bbox_file, data_prefix, "),
        ("model", {}, "it must be a field of the data set"),
        ("model..x", 1, "it must be a field of the data set"),
        ("test_dataloader.dataset.type", "A", "it must be a field of the data set"),
        ("type", "no name", "type must be the name of a class such as CocoDataset"),
        ("type", None, "type must be the name of a class such as CocoDataset"),
    ],
)
def test_a_field_or_value_that_is_none(tmp_path: Path, field: str, value: Any, problem: str) -> None:
    more = f"    overrides: [{{field: {field}, value: {json.dumps(value)}, reason: so}}]\n"
    with pytest.raises(SpecError) as raised:
        suite_of(tmp_path, more)
    assert "mine.yaml:2" in str(raised.value)
    assert problem in str(raised.value)


def test_what_a_protocol_records() -> None:
    overrides = [change("model.backbone.cls", None), change("test_evaluator.keypoint_indices", [36, 45])]
    assert stated(overrides) == ("model.backbone.cls = null", "test_evaluator.keypoint_indices = [36, 45]")
    assert stated([]) is None


def test_check_tells_an_override_of_nothing_and_one_that_does_not_fit(tmp_path: Path) -> None:
    more = "    overrides: [{field: model.head.in_channels, value: 1024, reason: so}]\n"
    found = {finding.subject: finding.found for finding in audit_suite(suite_of(tmp_path, more)).problems}
    assert found["override of model.head.in_channels"] == "the same value in the config"
    more = "    overrides: [{field: model.heads.in_channels, value: 1024, reason: so}]\n"
    (finding,) = [f for f in audit_suite(suite_of(tmp_path, more)).problems if f.subject == "config"]
    assert "override of model.heads.in_channels does not match config" in finding.found


def test_a_row_that_nobody_can_run(tmp_path: Path, harness: Harness) -> None:
    reason = "no config of 1.3.2 has this neck"
    suite = suite_of(tmp_path, f"    cannot_run: {reason}\n", config="none/such.py")
    (row,) = suite.rows
    with pytest.raises(ObtainError, match=f"^mine/vit cannot be run: {reason}$"):
        load_config(suite, row, row.runs["val"])

    def run(*arguments: str) -> tuple[int, str]:
        code, out, err = harness(*arguments)
        return code, out + err

    path = str(tmp_path / "mine.yaml")
    out = tmp_path / "out"
    code, output = run("run", path, "--data", str(tmp_path), "--out", str(out), "--offline", "--device", "cpu")
    assert code == 3
    assert output.splitlines()[0].endswith("unobtainable")
    assert f"unobtainable: mine/vit cannot be run: {reason} [mine/vit]" in output
    assert "repeat the command to try again" not in output
    assert "harness fetch" not in output
    record = json.loads((out / "mine/vit/val/record.json").read_text())
    assert (record["status"], record["reason"]) == ("unobtainable", f"mine/vit cannot be run: {reason}")

    code, output = run("check", path)
    assert "1 cannot be run" in output
    assert f"  mine/vit\n    {reason}" in output
    assert "there is no config" not in output
    assert json.loads(harness("check", path, "--json")[1])["suites"][0]["cannot_run"] == {"mine/vit": reason}
    assert f"cannot be run: {reason}" in run("list", path)[1]
    assert json.loads(harness("list", path, "--json")[1])["rows"][0]["cannot_run"] == reason
    code, output = run("fetch", path, "--data", str(tmp_path), "--dry-run")
    assert (code, "vit-0123abcd.pth" in output) == (0, False)
    code, output = run("parity", path, "--data", str(tmp_path), "--weights", "random:0", "--device", "cpu")
    assert (code, "0 of 0 runs are equal" in output) == (0, True)
    (tmp_path / "none").mkdir()
    assert run("report", str(tmp_path / "none"), "--suite", path, "--out", str(tmp_path / "site"))[0] == 0
    assert f"This row cannot be run: <bdi>{reason}</bdi>" in (tmp_path / "site/mine/vit/index.html").read_text()
