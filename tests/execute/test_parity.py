"""The shared engine against MMPose's own test loop, whole runs on all sample boxes with the same weights."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import harness.predict.shared
from harness.cli import main
from harness.execute.parity import compare_engines
from harness.execute.plan import Settings
from harness.parity import Parity
from harness.protocol import Flip
from harness.spec.load import load_suite, select_rows

# Small networks that cover the MSRA, UDP and Megvii codecs, both affines, two strides, and several stages.
ROWS = ["litehrnet-18-256x192", "mobilenet-v2-256x192", "cspnext-tiny-256x192", "alexnet-256x192"]
ON_ONE_IMAGE = ["vitpose-s-256x192", "mspn-1stg-256x192", "resnet-101-dark-256x192"]


OTHER_SUITES = [
    ("mpii", "litehrnet-18-256x256", "val"),
    ("mpii", "cspnext-m-256x256", "val"),  # UDP codec on the plain affine, no flip test
    ("crowdpose", "cspnext-m-256x192", "val"),
    ("aic", "hrnet-w32-256x192", "val"),
    ("jhmdb", "resnet-50-256x256", "sub1"),
    ("posetrack18", "resnet-50-256x192", "val"),
    ("humanart", "vitpose-s-256x192", "val"),
]


def compare(row_id: str, settings: Settings, suite_name: str = "coco", run: str = "val") -> Parity:
    suite = load_suite(suite_name)
    (row,) = select_rows(suite, row_id)
    return compare_engines(suite, row, run, settings, settings.out / "log.txt")


@pytest.fixture
def settings(samples: Path, tmp_path: Path) -> Settings:
    return Settings(
        data=samples,
        checkpoints=tmp_path,
        out=tmp_path,
        seed=0,
        limit=None,
        engine="shared",
        device="cpu",
        batch_size=None,
    )


@pytest.mark.parametrize("row_id", ROWS)
def test_all_boxes(row_id: str, settings: Settings) -> None:
    parity = compare(row_id, settings)
    assert parity.people == 118
    assert parity.keypoints_compared + parity.ties == 118 * 17
    assert parity.ties < 0.02 * 118 * 17
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.metric_max is not None
    assert parity.metric_max <= 1e-6
    assert parity.equal


@pytest.mark.parametrize("row_id", ON_ONE_IMAGE)
def test_one_image(row_id: str, settings: Settings) -> None:
    assert compare(row_id, replace(settings, limit=1)).equal


@pytest.mark.parametrize(("suite", "row_id", "run"), OTHER_SUITES)
def test_other_data_sets(suite: str, row_id: str, run: str, settings: Settings) -> None:
    parity = compare(row_id, settings, suite, run)
    assert parity.equal
    assert (parity.metric_max is None) == (suite == "posetrack18" and find_spec("poseval") is None)


def test_a_difference_is_seen(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flip test that forgets to shift the mirrored heatmaps, the commonest cause of numbers that are a bit off."""
    mirror = harness.predict.shared._mirror

    def unshifted(heatmaps: torch.Tensor, flip: Flip, pairs: tuple[int, ...]) -> torch.Tensor:
        return mirror(heatmaps, flip.model_copy(update={"shift": False}), pairs)

    monkeypatch.setattr("harness.predict.shared._mirror", unshifted)
    parity = compare("alexnet-256x192", replace(settings, limit=1))
    assert not parity.equal
    assert parity.keypoint_max_px > 0.1


def test_command(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "parity.json"
    arguments = [
        "parity",
        "coco",
        "--rows",
        "alexnet-*",
        "--data",
        str(samples),
        "--weights",
        "random:0",
        "--limit",
        "1",
    ]
    assert main([*arguments, "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "people", "compared", "ties", "keypoint", "px", "tie", "px", "score", "metric"]
    assert lines[1].startswith("coco/alexnet-256x192/val")
    assert lines[-1] == "1 of 1 runs are equal"
    (run,) = json.loads(out.read_text())["runs"]
    assert run["id"] == "coco/alexnet-256x192/val"
    assert run["people"] == 22
    assert np.isfinite(run["keypoint_max_px"])
