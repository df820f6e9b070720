"""Configs of the installed MMPose: found without importing it, and overridden for the evaluation."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ObtainError, SpecError
from harness.suites import configs
from harness.suites.configs import config_path, configs_folder, load_config
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Row, Run, Suite


def row_and_run(full_id: str) -> tuple[Suite, Row, Run]:
    suite = load_suite(full_id.split("/")[0])
    (row,) = select_rows(suite, full_id)
    return suite, row, next(iter(row.runs.values()))


def test_overrides_reach_both_loaders() -> None:
    config = load_config(*row_and_run("coco/cspnext-tiny-256x192"))
    expected = "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    assert config.val_dataloader.dataset.bbox_file == expected
    assert config.test_dataloader.dataset.bbox_file == expected


def test_null_removes_a_field_from_both_loaders() -> None:
    suite, row, run = row_and_run("posetrack18/hrnet-w32-256x192")
    as_it_is = configs.read_config(config_path(suite, run))
    config = load_config(suite, row, run)
    for loader in ("val_dataloader", "test_dataloader"):
        assert {"bbox_file", "filter_cfg"} <= as_it_is[loader].dataset.keys()
        assert not {"bbox_file", "filter_cfg"} & config[loader].dataset.keys()


def test_neither_torch_nor_mmpose_is_imported() -> None:
    program = (
        "import sys; from harness.suites.load import load_suite; from harness.suites.configs import load_config;"
        "suite = load_suite('coco'); row = suite.rows[0]; config = load_config(suite, row, row.runs['val']);"
        "assert config.custom_imports; print(sorted({'torch', 'mmpose', 'mmcv'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_mmpose_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObtainError, match=r"mmpose is not installed.*\n.*pip install --no-deps .*mmpose==1\.3\.2"):
        configs_folder()


def test_config_that_does_not_exist() -> None:
    suite, _, run = row_and_run("aic/resnet-101-256x192")
    wrong = run.model_copy(update={"config": run.config.replace("res101", "res110")})
    with pytest.raises(SpecError, match=r"^aic: there is no config .*res110_.*\n  did you mean td-hm_res101_8xb64"):
        config_path(suite, wrong)
    wrong = run.model_copy(update={"config": "xyz.py"})
    with pytest.raises(SpecError, match=r"MMPose's configs folder or to the suite's file .*aic\.yaml$"):
        config_path(suite, wrong)


def test_own_config_beside_the_suite(tmp_path: Path) -> None:
    suite, row, run = row_and_run("aic/resnet-101-256x192")
    assert suite.path
    own = tmp_path / "mine.yaml"
    own.write_text(suite.path.read_text())
    mine = load_suite(own)
    own_run = run.model_copy(update={"config": "mine.py"})
    (tmp_path / "mine.py").write_text(
        f"_base_ = {str(config_path(suite, run))!r}\nmodel = dict(head=dict(out_channels=5))"
    )
    assert load_config(mine, row, own_run).model.head.out_channels == 5

    (tmp_path / "mine.py").write_text("val_dataloader = dict(\n")
    with pytest.raises(SpecError, match=r"config .*mine\.py cannot be read: SyntaxError"):
        load_config(mine, row, own_run)
    (tmp_path / "mine.py").write_text("model = dict()")
    with pytest.raises(SpecError, match=r"mine\.py has no val_dataloader\.dataset, which is needed for evaluation"):
        load_config(mine, row, own_run)
