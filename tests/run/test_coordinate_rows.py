"""Rows whose networks give vectors or coordinates: the shared engine against MMPose's own test loop, on the miniature.

Networks point near the true keypoints, so that the metrics that are compared say something.
"""

from dataclasses import replace

import pytest
from conftest import SAMPLES
from engines import compare
from miniature import Miniature
from test_parity import watch_metrics

from harness.openmmlab import xtcocotools_ext
from harness.run.plan import Settings

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
