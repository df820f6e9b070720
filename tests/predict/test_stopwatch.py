"""Time measurement on a device."""

import pytest
import torch
from fake_cuda import FakeCuda

from harness.predict.stopwatch import Stopwatch


def test_a_gpu_is_waited_for_when_the_sum_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    watch = Stopwatch(torch.device("cuda:1"))
    for _ in range(3):
        with watch:
            pass
    assert cuda.events == []
    assert watch.seconds == pytest.approx(0.03)
    assert cuda.events == ["wait for cuda:1"]
    with watch:
        pass
    assert watch.seconds == pytest.approx(0.04)
    assert watch.seconds == pytest.approx(0.04)
    assert len(cuda.events) == 2


def test_a_cpu() -> None:
    watch = Stopwatch(torch.device("cpu"))
    with watch:
        pass
    assert 0 < watch.seconds < 1
