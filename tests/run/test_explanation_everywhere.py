"""`harness explain` on a run of each data set, family of metrics and codec, with a small seeded network."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_further_parity as further
import yaml
from conftest import Harness
from engines import near_truth_network
from miniature import onehand10k

from harness.judge.explanation import Explanation
from harness.plugins import plugins
from harness.predict.forward import Forward
from harness.predictions import Predictions
from harness.protocol import Flip, Protocol
from harness.record import Record
from harness.report.explanation import explanation_text
from harness.run import explanation as explanation_of_runs
from harness.run import reruns
from harness.run.plan import Plan, Settings, make_plan
from harness.run.rerun_sample import _can_answer
from harness.suites.load import BENCHMARKS, load_suite

WIDTH, HEIGHT = 64, 96
HEADS = {
    "msra": 'type="MSRAHeatmap", sigma=2',
    "dark": 'type="MSRAHeatmap", sigma=2, unbiased=True, blur_kernel_size=11',
    "udp": 'type="UDPHeatmap", sigma=2, blur_kernel_size=11',
    "udp-combined": 'type="UDPHeatmap", sigma=2, heatmap_type="combined"',
    "megvii": 'type="MegviiHeatmap", kernel_size=5',
}


class Case(NamedTuple):
    """A row of a suite, and the codec of the small network that replaces the row's network."""

    row: str
    run: str
    codec: str
    family: str


CASES = {  # by suite
    "coco": Case("shufflenet-v2-256x192", "val", "msra", "oks"),
    "crowdpose": Case("resnet-50-256x192", "val", "dark", "oks"),
    "aic": Case("resnet-101-256x192", "val", "udp", "oks"),
    "humanart": Case("vitpose-s-256x192", "val", "udp-combined", "oks"),
    "ap10k": Case("cspnext-m-256x256", "val", "dark", "oks"),
    "mpii": Case("shufflenet-v2-256x256", "val", "megvii", "pckh"),
    "jhmdb": Case("resnet-50-256x256", "sub1", "msra", "jhmdb-pck"),
    "posetrack18": Case("resnet-50-256x192", "val", "udp-combined", "posetrack-ap"),
    "onehand10k": Case("hrnetv2-w18-dark-256x256", "val", "dark", "pck"),
    "wflw": Case("hrnetv2-w18-awing-256x256", "test", "msra", "nme"),
    "coco-wholebody": Case("hrnet-w32-dark-256x192", "val", "udp", "wholebody"),
}
WITHOUT_AREAS = ("crowdpose", "aic")
WITHOUT_PAIRS = ("onehand10k",)
UNMOVED = ("aic", "humanart")
"""Suites whose metrics on one image stay the same if left and right are exchanged."""


def test_every_family_and_codec_is_a_case() -> None:
    assert {case.family for case in CASES.values()} == set(plugins("metrics"))
    of_heatmaps = {name for name, codec in plugins("codecs").items() if codec.has_heatmaps}
    assert {case.codec for case in CASES.values()} == of_heatmaps == set(HEADS)


@pytest.fixture(scope="module")
def written(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the data folders of all suites."""
    folder = tmp_path_factory.mktemp("written")
    onehand10k.write(folder)
    further.write(further.AP10K, folder)
    return {suite: folder if suite in ("onehand10k", "ap10k") else samples for suite in CASES}


def small_suite(folder: Path, suite: str) -> Path:
    """Write a suite with one row that has a small network with the case's codec, and return the suite's path."""
    case = CASES[suite]
    document = yaml.safe_load((BENCHMARKS / f"{suite}.yaml").read_text(encoding="utf-8"))
    (found,) = (one for one in document["rows"] if one["id"] == case.row)
    sizes = f"input_size={WIDTH, HEIGHT}, heatmap_size={WIDTH // 4, HEIGHT // 4}"
    affine = f"dict(type='TopdownAffine', input_size={WIDTH, HEIGHT}, use_udp={case.codec.startswith('udp')})"
    steps = f"[dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), {affine}, dict(type='PackPoseInputs')]"
    codec = plugins("codecs")[case.codec]
    head = (
        'type="HeatmapHead", deconv_out_channels=(16, 16, 16), deconv_kernel_sizes=(4, 4, 4), in_channels=64, '
        f"out_channels={codec.channels * document['dataset']['num_keypoints']}, "
        f'loss=dict(type="KeypointMSELoss", use_target_weight=True), decoder=dict({HEADS[case.codec]}, {sizes})'
    )
    lines = (
        f'_base_ = ["mmpose::{found["runs"][case.run]["config"]}"]',
        'backbone = dict(_delete_=True, type="ResNet", depth=18, stem_channels=8, base_channels=8)',
        f"head = dict(_delete_=True, {head})",
        f'model = dict(backbone=backbone, head=head, test_cfg=dict(flip_mode="{codec.flip_mode}"))',
        f"test_dataloader = dict(dataset=dict(pipeline={steps}))",
    )
    (folder / "small.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document["rows"] = [found]
    found["runs"] = {case.run: found["runs"][case.run] | {"config": "small.py"}}
    found.pop("runs_are", None)  # of several runs
    found["input_size"] = f"{HEIGHT}x{WIDTH}"
    path = folder / f"{suite}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("suite", CASES)
def test_explained(
    harness: Harness, written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    monkeypatch.setattr(reruns, "PADDINGS", (1.25, 1.5))
    monkeypatch.setattr(reruns, "KERNELS", (3,))
    monkeypatch.setattr(explanation_of_runs, "PAIRED", 1)
    monkeypatch.setattr(
        Plan, "model", lambda plan, protocol=None: Forward(near_truth_network(plan), protocol or plan.protocol)
    )
    case, path = CASES[suite], small_suite(tmp_path, suite)
    options = ("--data", written[suite], "--weights", "random:0", "--limit", 1, "--out", tmp_path / "runs")
    code, out, err = harness("run", path, *options, "--offline")
    assert code == 0, out + err

    explain = ("explain", f"{path}/{case.row}", "--run", case.run, "--rerun", "--json", *options)
    code, out, err = harness(*explain)
    assert code in (0, 1), err
    assert_all_tried(document(out), suite, path)

    baseline = planted(tmp_path / "runs", tmp_path / "baseline")
    assert harness("score", baseline, "--data", written[suite])[0] == 0
    code, out, err = harness(*explain, "--baseline", baseline)
    assert code == 0, out + err
    found = document(out)
    assert bool(found["observed"]["metrics"]) == (suite not in UNMOVED)
    if suite in UNMOVED:
        named = "the keypoints are those of the baseline in another order: left and right are exchanged", "likely"
    elif suite in WITHOUT_PAIRS:
        named = "pixel coordinates: counted from 0 -> counted from 1", "shown"
    else:
        named = "keypoint order: as given -> left and right exchanged", "shown"
    assert (found["causes"][0]["text"], found["causes"][0]["certainty"]) == named


def document(out: str) -> Any:
    """Return the JSON document of an output; pycocotools prints before it."""
    return json.loads(out[out.index("{\n") :])


def test_flip_test_of_a_run_without_one(written: dict[str, Path], tmp_path: Path, settings: Settings) -> None:
    """Codecs with three heatmaps per keypoint have their own flip mode."""
    path = small_suite(tmp_path, "humanart")
    config = tmp_path / "small.py"
    config.write_text(config.read_text(encoding="utf-8").replace("test_cfg=dict(", "test_cfg=dict(flip_test=False, "))
    suite = load_suite(path)
    plan = make_plan(suite, suite.rows[0], "val", replace(settings, data=written["humanart"], limit=1))
    assert not plan.protocol.flip.enabled
    tried = {
        one.change.tried: one.plan.protocol.flip
        for one in reruns.changed_plans(suite, suite.rows[0], plan)
        if one.change.setting == "flip test"
    }
    expected = Flip(enabled=True, shift=False, mode="udp_combined")
    assert tried == {"on, not shifted": expected, "on, shifted": expected.model_copy(update={"shift": True})}


def test_only_settings_that_fit_the_network_are_taken_from_a_baseline(
    written: dict[str, Path], tmp_path: Path, settings: Settings
) -> None:
    path = small_suite(tmp_path, "humanart")
    suite = load_suite(path)
    plan = make_plan(suite, suite.rows[0], "val", replace(settings, data=written["humanart"], limit=1))
    own = plan.protocol
    others = {
        "decoder": [{"blur_kernel_size": 3}, {"codec": "dark"}, {"heatmap_size": (48, 64)}, {"kept": (0, 1)}],
        "flip": [{"shift": not own.flip.shift}, {"mode": "heatmap"}, {"indices": (0, 1)}],
        "crop": [{"padding": 1.0}, {"input_size": (192, 256)}],
    }
    for field, (first, *rest) in others.items():
        for number, fields in enumerate((first, *rest)):
            changed = getattr(own, field).model_copy(update=fields)
            assert _can_answer(own, own.model_copy(update={field: changed})) == (number == 0), fields


def assert_all_tried(explanation: dict[str, Any], suite: str, path: Path) -> None:
    settings = {change["setting"] for trial in explanation["trials"] for change in trial["changes"]}
    assert {"flip test", "decoder", "padding", "affine", "colours", "mean and std", "resampling", "crops"} <= settings
    assert {"shift of the mirrored heatmaps", "heatmaps", "pixel coordinates"} <= settings
    assert ({"keypoint order", "mirror pairs"} <= settings) == (suite not in WITHOUT_PAIRS)
    assert not explanation["seen"]  # boxes and crop areas are those of the data set
    skipped = {one["change"]["setting"]: one["reason"] for one in explanation["skipped"]}
    if suite in WITHOUT_AREAS:
        assert "'area' of" in skipped["area rule"]
        text = explanation_text(Explanation.model_validate(explanation), load_suite(path).metrics, rerun=True)
        assert f"  - area rule: box -> annotation: {skipped['area rule']}" in text.splitlines()
    else:
        assert not skipped


def planted(runs: Path, to: Path) -> Path:
    """Copy the only run to another folder and return that folder. In the copy, left and right are exchanged or, without
    such pairs, all keypoints are moved by a pixel."""
    shutil.copytree(runs, to)
    (path,) = to.rglob("predictions.parquet")
    found, key = Predictions.load(path), Predictions.saved_key(path)
    assert key
    order = list(Protocol.load(path.with_name("protocol.json")).flip_indices)
    pixels = int(order == sorted(order))
    keypoints, scores = found.keypoints[:, order] + pixels, found.keypoint_scores[:, order]
    replace(found, keypoints=keypoints, keypoint_scores=scores).save(path, key)
    record = path.with_name("record.json")
    Record.load(record).model_copy(update={"seal": None}).save(record)
    return to
