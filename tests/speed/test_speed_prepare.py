"""Preparation compared with MMPose's pipeline, on a few people."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from miniature import coco

from harness.arrays import Float64, Image
from harness.errors import DifferenceError
from harness.predict.warp import warp_affine
from harness.speed.gpu_model import read_table
from harness.speed.prepare import check_crops, measure_preparation
from harness.speed.workload import plan_row


def test_two_rounds(samples: Path) -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads = torch.get_num_threads()
    geometries = read_table().geometries
    outcome = measure_preparation(plan_row("resnet-50-256x192", samples), 1, 2, geometries)
    assert (outcome.images, outcome.comparison.work, outcome.comparison.unit) == (1, coco.PLAN[0][-1], "boxes")
    assert len(outcome.comparison.ratio.rounds) == 2
    assert outcome.image_ms > 0
    assert set(outcome.warp_ms) == {"192x256 plain", "192x256 udp", "256x256 plain"}
    assert all(milliseconds > 0 for milliseconds in outcome.warp_ms.values())
    assert cores is None or os.sched_getaffinity(0) == cores
    assert torch.get_num_threads() == threads


def test_a_crop_that_differs(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(image: Image, matrix: Float64, out: Image) -> None:
        warp_affine(image, matrix, out)
        out[100, 100, 1] ^= 1

    monkeypatch.setattr("harness.predict.crops.warp_affine", off)
    with pytest.raises(DifferenceError, match="the crop of person 0 is not bit-identical") as error:
        measure_preparation(plan_row("resnet-50-256x192", samples), 1, 1, ())
    assert error.value.exit_code == 1


def test_items_are_channels_first() -> None:
    crop = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    item = {"inputs": torch.from_numpy(crop[0].transpose(2, 0, 1).copy()), "data_samples": SimpleNamespace(id=7)}
    check_crops([item], crop)
    with pytest.raises(DifferenceError, match="person 7"):
        check_crops([item], crop[:, :, ::-1])
