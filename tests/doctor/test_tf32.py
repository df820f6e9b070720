"""TF32 as a cause: `harness explain --rerun` tries MMPose's loop with torch's defaults, on a GPU that has it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.doctor.runs import demo_plan
from harness.predict.shared import predict_shared
from harness.predict.upstream import predict_upstream
from harness.run import reruns
from harness.run.device import choose_device, has_tf32
from harness.run.progress import SilentProgress


def test_mmposes_loop_with_torchs_defaults(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU nothing is in TF32: the numbers are those of our engine, and the setting is the one that is told."""
    choose_device("cpu")
    allowed: list[bool] = []

    def watched(*arguments: Any) -> Any:
        allowed.append(torch.backends.cudnn.allow_tf32)
        return predict_upstream(*arguments)

    monkeypatch.setattr(reruns, "predict_upstream", watched)
    plan = demo_plan("cpu", rendered, 8)
    plan = replace(plan, protocol=plan.protocol.model_copy(update={"limit": 2}))
    tried = reruns.in_tf32("demo/row", plan, SilentProgress())
    assert allowed == [True]
    assert not torch.backends.cudnn.allow_tf32
    assert str(tried.change) == "convolutions: single precision -> TF32"
    ours = predict_shared(plan.model(), plan.people(), plan.protocol, lambda _: None)
    np.testing.assert_array_equal(tried.predictions.keypoints, ours.keypoints)


def test_gpus_with_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    capability = (8, 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_tf32("cuda:1")
    assert not has_tf32("cpu")
    capability = (7, 5)
    assert not has_tf32("cuda")
