"""Whole images, subsets and species: the shared engine compared with MMPose's own test loop on small data sets, with
configs of MMPose."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from engines import near_truth_network

from harness.metrics.match import evaluate
from harness.openmmlab import xtcocotools_ext
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_numpy import numpy_1_crops
from harness.run.parity import compare_engines, predict_with_ties
from harness.run.plan import Plan, Settings, make_plan
from harness.suites.configs import load_config
from harness.suites.ledger import point_at
from harness.suites.load import load_suite
from harness.suites.schema import Suite

SUITE = """\
schema_version: 1
name: further
title: Further data sets
dataset: {{name: Further, num_keypoints: {keypoints}, annotations: {annotations}, images: {images}}}
metrics: {{AP: {{label: AP, unit: fraction, decimals: 3}}}}
rows:
  - id: net
    label: Net
    input_size: 256x192
    boxes: ground-truth
    published: {{table: {{AP: 0.5}}}}
    runs: {{val: {{config: {config}, checkpoint: {{url: net.pth, sha256: "0000000000000000"}}}}}}
"""
ANIMALS, HANDS, CLOTHES = (f"{part}_2d_keypoint/topdown_heatmap" for part in ("animal", "hand", "fashion"))
AP10K = f"{ANIMALS}/ap10k/td-hm_res50_8xb64-210e_ap10k-256x256.py"
FREIHAND = f"{HANDS}/freihand2d/td-hm_res50_8xb64-100e_freihand2d-224x224.py"
LOWER = f"{CLOTHES}/deepfashion/td-hm_res50_8xb64-210e_deepfashion_lower-256x192.py"
UPPER = f"{CLOTHES}/deepfashion/td-hm_res50_8xb64-210e_deepfashion_upper-256x192.py"
DATA = {
    AP10K: ("ap10k/annotations/ap10k-test-split1.json", "ap10k/data", 17, None),
    FREIHAND: ("freihand/annotations/freihand_test.json", "freihand", 21, 224),
    LOWER: ("fld/annotations/fld_lower_test.json", "fld/img", 4, None),
    UPPER: ("fld/annotations/fld_upper_test.json", "fld/img", 6, None),
}
"""Annotations, images, number of keypoints and, if all images have the same size, that size."""


def write(config: str, folder: Path, people: int = 6) -> Suite:
    """Write images with one person each, or two in every third, and a suite of one row; return the suite."""
    annotations, images, keypoints, side = DATA[config]
    rng = np.random.default_rng(0)
    listed: list[dict[str, Any]] = []
    annotated: list[dict[str, Any]] = []
    for number in range(people):
        if side or number % 3 or not listed:
            width, height = (side, side) if side else rng.integers(150, 320, 2).tolist()
            listed.append({"id": 50 - number, "file_name": f"some/{number}.png", "width": width, "height": height})
            path = folder / images / listed[-1]["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = rng.integers(0, 256, (12, 12, 3), np.uint8)
            cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        image = listed[-1]
        shares = rng.uniform([0.02, 0.02, 0.37, 0.37], [0.3, 0.3, 0.65, 0.65])
        x, y, w, h = shares * np.tile([image["width"], image["height"]], 2)
        points = np.column_stack(
            [rng.uniform(x, x + w, keypoints), rng.uniform(y, y + h, keypoints), rng.integers(0, 3, keypoints)]
        )
        annotated.append(
            {
                "id": 7 * number,
                "image_id": image["id"],
                "category_id": 1 + number % 3 if config == AP10K else 1,
                "bbox": [x, y, w, h],
                "area": 0.6 * w * h,
                "iscrowd": 0,
                "segmentation": [],
                "num_keypoints": int((points[:, 2] > 0).sum()),
                "keypoints": points.ravel().tolist(),
            }
        )
    categories = [{"id": number, "name": f"species {number}"} for number in range(1, 5)]
    (folder / annotations).parent.mkdir(parents=True, exist_ok=True)
    document = {"images": listed, "annotations": annotated, "categories": categories}
    (folder / annotations).write_text(json.dumps(document))
    path = folder / "further.yaml"
    path.write_text(SUITE.format(keypoints=keypoints, annotations=annotations, images=images, config=config))
    return load_suite(path)


def settings_for(settings: Settings, folder: Path) -> Settings:
    return replace(settings, data=folder, out=folder)


@pytest.mark.parametrize("config", [FREIHAND, LOWER, UPPER])
def test_keypoints(config: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With seeded weights and any metric: MMPose's loop runs without one."""
    suite = write(config, tmp_path)
    monkeypatch.setattr("harness.predict.upstream.why_not_evaluated", lambda _: "keypoints are compared")
    plan = planned(suite, settings_for(settings, tmp_path), monkeypatch)
    people, network = plan.people(), plan.network()
    ours, unique = predict_with_ties(network, people, plan.protocol)
    moved = point_at(plan.config, str(tmp_path))
    with numpy_1_crops(moved):
        theirs, _ = predict_upstream(network, moved, people, plan.protocol, lambda _: None, tmp_path / "log.txt")
    assert len(ours) == 6
    for field in ("person_ids", "image_ids", "boxes", "box_scores", "crop_areas"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
    assert unique.mean() > 0.9
    assert np.abs(ours.keypoints - theirs.keypoints)[unique].max() <= 0.01
    np.testing.assert_allclose(ours.keypoint_scores, theirs.keypoint_scores, atol=1e-5)


def planned(suite: Suite, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return the plan of a config's run, with a metric that any data set supports."""

    def by_distance(*arguments: Any) -> Any:
        config = load_config(*arguments)
        config.test_evaluator = {"type": "JhmdbPCKAccuracy", "thr": 0.2, "norm_item": "bbox"}
        return config

    monkeypatch.setattr("harness.run.plan.load_config", by_distance)
    return make_plan(suite, suite.rows[0], "val", settings)


@pytest.mark.parametrize("config", [AP10K, FREIHAND, LOWER])
def test_poses_near_the_truth(config: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics between 0 and 1 equal those of MMPose's own evaluators; for AP-10K a mean over three species."""
    if config == AP10K and xtcocotools_ext.install() == "stand-in":
        pytest.skip("MMPose's own OKS evaluator needs xtcocotools")
    suite, measured = write(config, tmp_path, people=12), {}

    def watched(*arguments: Any) -> dict[str, float | None]:
        measured.update(evaluate(*arguments))
        return measured

    monkeypatch.setattr("harness.run.parity.evaluate", watched)
    monkeypatch.setattr(Plan, "network", near_truth_network)
    parity = compare_engines(suite, suite.rows[0], "val", settings_for(settings, tmp_path), tmp_path / "log.txt")
    assert parity.people == parity.people_total == 12
    assert parity.equal
    assert parity.keypoint_max_px <= 0.01
    assert parity.metric_max is not None
    assert parity.metric_max <= 1e-6
    headline = measured[next(iter(measured))]
    assert headline is not None
    assert 0.05 < headline < 0.98
