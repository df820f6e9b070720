"""Networks that make heatmaps, vectors and coordinates share a pass, and the crops of one geometry."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness

from harness.predict import crops
from harness.predict.warp import warp_affine
from harness.predictions import Predictions
from harness.record import Record

RUNS = {
    "coco": "shufflenet-v2-256x192",
    "coco-simcc": "mobilenetv2-wo-deconv-256x192",
    "coco-rtmpose": "rtmpose-t-256x192",
    "coco-regression": "mobilenetv2-rle-pretrained-256x192",
}
SETTINGS = ("--weights", "random:0", "--limit", 1, "--offline", "--batch-size", 8)


def folder(suite: str, out: str) -> Path:
    return Path(out) / suite / RUNS[suite] / "val"


def test_heatmaps_vectors_and_coordinates(harness: Harness, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []

    def cutting(*arguments: Any) -> None:
        cut.append(1)
        warp_affine(*arguments)

    monkeypatch.setattr(crops, "warp_affine", cutting)
    code, out, err = harness(
        "run", *RUNS, "--rows", ",".join(RUNS.values()), "--data", samples, *SETTINGS, "--out", "all"
    )
    assert code == 0, out + err
    records = [Record.load(folder(suite, "all") / "record.json") for suite in RUNS]
    assert [record.together for record in records] == [len(RUNS)] * len(RUNS)
    people = len(Predictions.load(folder("coco", "all") / "predictions.parquet").keypoints)
    assert people > 1
    assert len(cut) == people

    for suite, row in RUNS.items():
        code, out, err = harness("run", suite, "--rows", row, "--data", samples, *SETTINGS, "--out", "alone")
        assert code == 0, out + err
        one, other = (Predictions.load(folder(suite, made) / "predictions.parquet") for made in ("all", "alone"))
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        np.testing.assert_array_equal(one.keypoint_scores, other.keypoint_scores)
        assert one.keypoints.std() > 1
    assert len(cut) == (1 + len(RUNS)) * people
