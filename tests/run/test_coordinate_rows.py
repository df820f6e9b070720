"""Rows whose networks return vectors or coordinates: the shared engine compared with MMPose's test loop, on the
miniature. Networks point near the true keypoints, so that the compared metrics are not near 0.
"""

from dataclasses import replace

import pytest
from conftest import SAMPLES
from engines import compare
from miniature import Miniature
from test_parity import watch_metrics

from harness.judge.moved_keypoints import keypoint_moves
from harness.openmmlab import xtcocotools_ext
from harness.run.plan import Settings, make_plan
from harness.run.reruns import changed_plans
from harness.suites.load import load_suite, select_rows

# One run for each data set, boxes, codec and score.
RUNS = [
    "coco-integral/resnet-50-dsnt-256x256/val",
    "coco-regression/resnet-50-256x192/val",
    "coco-regression/mobilenetv2-rle-pretrained-256x192/val",
    "coco-rtmpose/rtmpose-t-256x192/val",
    "coco-rtmpose/rtmpose-t-aic-coco-256x192/val",
    "coco-rtmpose/rtmpose-t-body7-256x192/val",
    "coco-rtmpose/rtmpose-t-humanart-256x192-gt/val",
    "coco-simcc/mobilenetv2-wo-deconv-256x192/val",
    "coco-wholebody-face-rtmpose/rtmpose-m-256x256/val",
    "coco-wholebody-hand-rtmpose/rtmpose-m-hand5-256x256/val",
    "coco-wholebody-rtmpose/dwpose-t-256x192/val",
    "coco-wholebody-rtmpose/rtmw-l-384x288/val",
    "crowdpose-rtmpose/rtmpose-m-256x192/val",
    "humanart-rtmpose/rtmpose-t-256x192/val",
    "humanart-rtmpose/rtmpose-t-coco-256x192-gt/val",
    "lapa/rtmpose-t-face6-256x256/val",
    "mpii-regression/resnet-50-rle-256x256/val",
    "mpii-rtmpose/rtmpose-m-256x256/val",
    "wflw-regression/resnet-50-256x256/val",
    "wflw-rtmpose/rtmpose-m-256x256/val",
]
ON_SAMPLES = [
    "ap10k-rtmpose/rtmpose-m-256x256/val",
    "coco-rtmpose/rtmpose-t-256x192/val",
    "coco-wholebody-rtmpose/rtmw-m-256x192/val",
    "lapa/rtmpose-m-256x256/val",
    "onehand10k-regression/resnet-50-256x256/val",
    "rhd-regression/resnet-50-256x256/val",
    "wflw-regression/resnet-50-256x256/val",
]
OKS = (
    "coco-rtmpose",
    "coco-simcc",
    "coco-regression",
    "coco-integral",
    "coco-wholebody-rtmpose",
    "crowdpose",
    "humanart",
)


@pytest.mark.parametrize("run", RUNS)
def test_poses_near_the_truth(
    run: str, settings: Settings, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = watch_metrics(monkeypatch)
    parity = compare(run, settings)
    assert parity.people == parity.people_total > 0
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.equal
    assert any(value is not None and 0.01 < value < 0.99 for value in metrics.values())
    if not run.startswith(OKS) or xtcocotools_ext.install() != "stand-in":
        assert parity.metric_max is not None
        assert parity.metric_max <= 1e-6


@pytest.mark.parametrize("run", ON_SAMPLES)
def test_on_real_images(run: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SAMPLES.parent / "zoo-samples"
    if not folder.is_dir():
        pytest.skip("no samples of the further data sets: HARNESS_SAMPLES names no folder with `zoo-samples` beside it")
    metrics = watch_metrics(monkeypatch)
    parity = compare(run, replace(settings, data=folder))
    assert parity.equal
    assert metrics[next(iter(metrics))] is not None


@pytest.mark.parametrize(
    ("run", "shift"),
    [
        ("coco-rtmpose/rtmpose-t-256x192", None),
        ("coco-regression/mobilenetv2-rle-pretrained-256x192", "shift of the mirrored coordinates"),
        ("coco-integral/resnet-50-dsnt-256x256", "shift of the mirrored coordinates"),
    ],
)
def test_explanations_leave_out_what_only_heatmaps_have(run: str, shift: str | None, settings: Settings) -> None:
    name, row_id = run.split("/")
    suite = load_suite(name)
    (row,) = select_rows(suite, row_id)
    plan = make_plan(suite, row, "val", settings)
    tried = {one.change.setting for one in changed_plans(suite, row, plan)}
    assert {"flip test", "mirror pairs", "padding", "affine"} <= tried
    assert {setting for setting in tried if "shift" in setting} == ({shift} if shift else set())
    moved = {change.setting for change, _ in keypoint_moves(plan.protocol)}
    assert {"keypoint order", "pixel coordinates", "keypoints in the crop"} <= moved
    assert not [setting for setting in tried | moved if "heatmap" in setting or setting == "decoder"]
