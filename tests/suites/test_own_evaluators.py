"""Evaluator settings that are not supported are rejected, with the field and the supported values."""

from pathlib import Path
from typing import Any

import pytest
from hands import Hands

from harness.errors import SpecError
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite

COCO = 'type="CocoMetric", ann_file=data_root + "val.json"'
REFUSED = {
    "bbox_rel": (
        f'{COCO}, score_mode="bbox_rel"',
        "score_mode: 'bbox_rel' is not supported (did you mean bbox_rle",
    ),
    "soft_nms": (
        f'{COCO}, nms_mode="soft_nms"',
        "nms_mode: 'soft_nms' is not supported (did you mean soft_oks_nms or oks_nms?); there are oks_nms, soft_",
    ),
    "a list as mode": (f'{COCO}, nms_mode=["oks_nms"]', "nms_mode: ['oks_nms'] is not supported"),
    "another iou_type": (f'{COCO}, iou_type="bbox"', "iou_type: 'bbox' is not supported"),
    "use_area": (f'{COCO}, use_area="no"', "use_area: 'no' is not supported"),
    "a text as threshold": (f'{COCO}, nms_thr="0.9"', "nms_thr: found '0.9'; it must be a number"),
    "no threshold": (f"{COCO}, keypoint_score_thr=None", "keypoint_score_thr: found None; it must be a number"),
    "a misspelt setting": (f"{COCO}, nms_threshold=0.5", "nms_threshold: it is not supported for CocoMetric"),
    "soft_nms=True": (f"{COCO}, soft_nms=True", "soft_nms: it is not supported for CocoMetric"),
    "pred_converter": (f'{COCO}, pred_converter=dict(type="K")', "pred_converter: it is not supported"),
    "gt_converter": (f'{COCO}, gt_converter=dict(type="K")', "gt_converter: it is not supported"),
    "format_only": (f'{COCO}, format_only=True, outfile_prefix="x"', "format_only: it is not supported"),
    "another annotation file": (
        'type="CocoMetric", ann_file=data_root + "test.json"',
        "data/hands/test.json is not the annotation file of test_dataloader.dataset, hands/val.json",
    ),
    "another metric": ('type="MPJPE", mode="mpjpe"', "MPJPE is not supported; supported are AUC, CocoMetric, "),
    "no type": ("thr=0.2", "None is not supported; supported are AUC, CocoMetric, "),
    "PCKh of another threshold": ('type="MpiiPCKAccuracy", thr=0.2', "thr: 0.2 is not supported; there are 0.5"),
    "PCKh by another length": ('type="MpiiPCKAccuracy", norm_item="bbox"', "norm_item: 'bbox' is not supported"),
    "PCK by the head": ('type="JhmdbPCKAccuracy", norm_item=["head"]', "norm_item: ['head'] is not supported"),
    "PCK without a number": ('type="JhmdbPCKAccuracy", thr="20%"', "thr: found '20%'; it must be a number"),
    "PoseTrack18": (
        f"{COCO}, use_area=False".replace("Coco", "PoseTrack18"),
        "use_area: it is not supported for PoseTrack18Metric",
    ),
}
WHOLE = {
    "several": (
        f'[dict({COCO}), dict({COCO}, nms_mode="none")]',
        "one metric is evaluated, not several: CocoMetric, CocoMetric\n  keep one of them in each config",
    ),
    "of several families": (
        f'[dict({COCO}), dict(type="JhmdbPCKAccuracy", thr=0.2)]',
        "metrics of one family are evaluated together, not of several: CocoMetric, JhmdbPCKAccuracy\n  keep the",
    ),
    "one of several is unknown": (f'[dict({COCO}), dict(type="MPJPE")]', "MPJPE is not supported; supported are "),
    "one of several is misspelt": (
        f"[dict({COCO}), dict({COCO}, nms_treshold=0.5)]",
        "nms_treshold: it is not supported for CocoMetric",
    ),
    "none": ("[]", "the list is empty\n  name a metric of MMPose"),
    "not all dicts": (f'[dict({COCO}), "EPE"]', "found 'EPE'; it must be a dict"),
    "null": ("None", "found None; it must be a dict"),
    "a name": ('"CocoMetric"', "found 'CocoMetric'; it must be a dict"),
}


def refusal(hands: Hands) -> str:
    suite = load_suite(hands.suite)
    with pytest.raises(SpecError) as error:
        protocol_without_files(load_config(suite, suite.rows[0], suite.rows[0].runs["val"]))
    assert str(hands.config) in str(error.value)
    assert "config field test_evaluator" in str(error.value)
    return str(error.value)


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path / "own")


@pytest.mark.parametrize("case", REFUSED)
def test_settings(case: str, hands: Hands) -> None:
    stated, expected = REFUSED[case]
    hands.replace(hands.config, f"val_evaluator = dict({COCO})", f"val_evaluator = dict({stated})")
    assert expected in refusal(hands)


@pytest.mark.parametrize("case", WHOLE)
def test_evaluators(case: str, hands: Hands) -> None:
    stated, expected = WHOLE[case]
    hands.replace(hands.config, f"val_evaluator = dict({COCO})", f"val_evaluator = {stated}")
    assert expected in refusal(hands)


@pytest.mark.parametrize("case", ["bbox_rel", "soft_nms", "a misspelt setting"])
def test_check_and_run_say_it_without_a_traceback(case: str, hands: Hands, harness: Any) -> None:
    stated, expected = REFUSED[case]
    hands.replace(hands.config, f"val_evaluator = dict({COCO})", f"val_evaluator = dict({stated})")
    for arguments, code in (
        (("check", hands.suite), 1),
        (("check", hands.suite, "--data", hands.data), 2),
        (("run", hands.suite, "--data", hands.data, "--weights", "random:0", "--offline", "--out", "out"), 3),
    ):
        found, output, error = harness(*arguments)
        assert found == code
        assert expected in " ".join((output + error).split())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("input_size=(64, 64), heatmap_size=(16, 16)", "input_size=64, heatmap_size=(16, 16)", "TypeError"),
        ("heatmap_size=(16, 16)", 'heatmap_size="small"', "heatmap_size"),
        ('dict(type="GetBBoxCenterScale")', 'dict(type="GetBBoxCenterScale", padding="much")', "padding"),
        ("head=dict(", "neck=dict(", "head"),
    ],
)
def test_other_fields_of_another_type(old: str, new: str, expected: str, hands: Hands, harness: Any) -> None:
    hands.replace(hands.config, old, new)
    code, output, _ = harness("check", hands.suite)
    assert code == 1
    assert "has a field that is missing or of another type" in " ".join(output.split())
    assert expected in " ".join(output.split())
