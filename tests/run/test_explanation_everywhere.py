"""`harness explain --rerun` on a run of each data set, family of metrics and codec, with a small seeded network."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import Harness

from harness.judge.explanation import Explanation
from harness.report.explanation import explanation_text
from harness.run import explanation as explanation_of_runs
from harness.run import reruns
from harness.suites.load import BENCHMARKS, load_suite

HEADS = {
    "msra": 'type="MSRAHeatmap", sigma=2',
    "dark": 'type="MSRAHeatmap", sigma=2, unbiased=True, blur_kernel_size=11',
    "udp": 'type="UDPHeatmap", sigma=2, blur_kernel_size=11',
    "megvii": 'type="MegviiHeatmap", kernel_size=5',
}
CASES = {  # by suite: a row of it, its run, the codec
    "coco": ("shufflenet-v2-256x192", "val", "msra"),
    "crowdpose": ("resnet-50-256x192", "val", "dark"),
    "aic": ("resnet-101-256x192", "val", "udp"),
    "humanart": ("vitpose-s-256x192", "val", "msra"),
    "mpii": ("shufflenet-v2-256x256", "val", "megvii"),
    "jhmdb": ("resnet-50-256x256", "sub1", "msra"),
    "posetrack18": ("resnet-50-256x192", "val", "dark"),
}
WITHOUT_AREAS = ("crowdpose", "aic")


def small_suite(folder: Path, suite: str, row: str, run: str, codec: str) -> Path:
    """Write a suite with one row, whose network is a small one with the codec, and return its path."""
    document = yaml.safe_load((BENCHMARKS / f"{suite}.yaml").read_text(encoding="utf-8"))
    (found,) = (one for one in document["rows"] if one["id"] == row)
    height, width = map(int, found["input_size"].split("x"))
    decoder = f"dict({HEADS[codec]}, input_size={width, height}, heatmap_size={width // 4, height // 4})"
    affine = f"dict(type='TopdownAffine', input_size={width, height}, use_udp={codec == 'udp'})"
    steps = f"[dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), {affine}, dict(type='PackPoseInputs')]"
    head = 'type="HeatmapHead", deconv_out_channels=(16, 16, 16), deconv_kernel_sizes=(4, 4, 4)'
    loss = 'loss=dict(type="KeypointMSELoss", use_target_weight=True)'
    channels = document["dataset"]["num_keypoints"]
    lines = (
        f'_base_ = ["mmpose::{found["runs"][run]["config"]}"]',
        'backbone = dict(_delete_=True, type="ShuffleNetV2", widen_factor=0.5)',
        f"head = dict(_delete_=True, {head}, in_channels=1024, out_channels={channels}, {loss}, decoder={decoder})",
        "model = dict(backbone=backbone, head=head)",
        f"test_dataloader = dict(dataset=dict(pipeline={steps}))",
    )
    (folder / "small.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document["rows"] = [found]
    found["runs"] = {run: found["runs"][run] | {"config": "small.py"}}
    path = folder / f"{suite}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("suite", CASES)
def test_explained_with_a_rerun(
    harness: Harness, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    monkeypatch.setattr(reruns, "PADDINGS", (1.25, 1.5))
    monkeypatch.setattr(reruns, "KERNELS", (3,))
    monkeypatch.setattr(explanation_of_runs, "PAIRED", 1)
    row, run, codec = CASES[suite]
    path = small_suite(tmp_path, suite, row, run, codec)
    options = ("--data", samples, "--weights", "random:0", "--limit", 1, "--out", tmp_path / "runs")
    code, _, err = harness("run", path, *options, "--offline")
    assert code == 0, err
    code, out, err = harness("explain", f"{path}/{row}", "--run", run, "--rerun", "--json", *options)
    assert code in (0, 1), err
    explanation = json.loads(out)
    settings = {change["setting"] for trial in explanation["trials"] for change in trial["changes"]}
    assert {"flip test", "decoder", "padding", "affine", "colours", "mean and std", "resampling", "crops"} <= settings
    assert {"shift of the mirrored heatmaps", "heatmaps", "keypoint order", "pixel coordinates"} <= settings
    assert not explanation["seen"]  # boxes and crop areas are those of the data set
    skipped = {one["change"]["setting"]: one["reason"] for one in explanation["skipped"]}
    if suite in WITHOUT_AREAS:
        assert "'area' of" in skipped["area rule"]
        text = explanation_text(Explanation.model_validate(explanation), load_suite(path).metrics, rerun=True)
        assert f"  - area rule: box -> annotation: {skipped['area rule']}" in text.splitlines()
    else:
        assert not skipped
