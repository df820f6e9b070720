"""CUDA graphs, replaced by graphs of CPU operations: the batches that are replayed, and those that are not."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch
from fake_cuda import FakeCuda
from small_passes import SmallNetwork, protocol, some_crops

from harness.errors import UsageError
from harness.predict import cuda_graph
from harness.predict import forward as forward_module
from harness.predict.cuda_graph import CudaRecorder, Recorder, recorder_for
from harness.predict.forward import Forward

CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """Allow networks on the CPU to be recorded."""
    fake = FakeCuda(monkeypatch)
    recorder = CudaRecorder(CPU)
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: recorder)
    monkeypatch.setattr(forward_module, "_SMALL", 0)
    monkeypatch.setattr(forward_module, "_CPU_PIECE", 4)
    return fake


def quick(network: SmallNetwork, **compute: Any) -> Forward:
    forward = Forward(network, protocol(**{"precision": "fp32-fast"} | compute))
    forward.quicken()
    return forward


def replays(cuda: FakeCuda) -> int:
    return sum(event.startswith("replay") for event in cuda.events)


@pytest.mark.parametrize("precision", ["fp32", "fp32-fast", "bf16"])
def test_full_batches_are_replayed_and_others_computed(
    cuda: FakeCuda, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [some_crops(4), 255 - some_crops(4), some_crops(4).flip(0), some_crops(3)]
    found = [quick(SmallNetwork(), precision=precision)] * 4
    heatmaps = [forward(batch) for forward, batch in zip(found, batches, strict=True)]
    assert replays(cuda) == 4  # including one to compare with the outputs
    assert found[0].warnings == []
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: None)
    for batch, one in zip(batches, heatmaps, strict=True):
        assert torch.equal(quick(SmallNetwork(), precision=precision)(batch), one)


def test_networks_that_share_the_memory_of_their_graphs(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    forwards = [quick(SmallNetwork(seed)) for seed in range(3)]
    batches = [some_crops(4), 255 - some_crops(4)]
    heatmaps = [[forward(batch) for forward in forwards] for batch in batches]
    assert len(cuda.graphs) == 3
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: None)
    for seed in range(3):
        for batch, found in zip(batches, heatmaps, strict=True):
            assert torch.equal(found[seed], quick(SmallNetwork(seed))(batch))


def test_recorded_on_another_stream_after_what_came_before(cuda: FakeCuda) -> None:
    quick(SmallNetwork())(some_crops(4))
    assert cuda.events == [
        "side after computing",
        "recording on side",
        "computing after side",
        "replay on computing",
        "replay on computing",
    ]


class Branching(SmallNetwork):
    """A network whose computation depends on the values of a batch."""

    def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().extract_feat(inputs if inputs.mean() > 0 else -inputs)


class Counting(SmallNetwork):
    """A network that adds another number in each pass."""

    passes = 0

    def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return super().extract_feat(inputs + self.passes)


@pytest.mark.parametrize(
    ("network", "said"),
    [(Branching, "not permitted when stream is capturing"), (Counting, r"a replay differs by .*, with a maximum of")],
)
def test_what_cannot_be_replayed_is_computed_and_told_once(
    cuda: FakeCuda, network: type[SmallNetwork], said: str
) -> None:
    forward = quick(network(), precision="fp32")
    for _ in range(3):
        forward(some_crops(4))
    (warning,) = forward.warnings
    assert warning.startswith("computed without a CUDA graph: ")
    assert re.search(said, warning)
    assert len(cuda.graphs) == 1
    assert cuda.current.name == "computing"


def test_a_recording_that_fails_at_its_end(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda.fails_at_end = True
    forward = quick(SmallNetwork())
    heatmaps = forward(some_crops(4))
    assert forward.warnings == [
        "computed without a CUDA graph: operation failed due to a previous error during capture"
    ]
    assert cuda.current.name == "computing"
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: None)
    assert torch.equal(heatmaps, quick(SmallNetwork())(some_crops(4)))


def test_out_of_memory_while_recording_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)

    class Short(CudaRecorder):
        def record(self, compute: Callable[[], Any]) -> Any:
            def short() -> Any:
                outputs = compute()
                if len(cuda.graphs) == 1 and cuda.events[-1].startswith("recording"):
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
                return outputs

            return super().record(short)

    recorder: Recorder = Short(CPU)
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: recorder)
    forward = Forward(SmallNetwork(), protocol())
    heatmaps = [forward(some_crops(4)) for _ in range(2)]
    assert forward.warnings == ["out of memory on cpu: later passes take 2 people, not 4"]
    assert replays(cuda) == 1 + 2 * 2
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: None)
    for found in heatmaps:
        torch.testing.assert_close(found, Forward(SmallNetwork(), protocol())(some_crops(4)))


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCuda(monkeypatch)
    monkeypatch.setattr(cuda_graph, "_cuda_recorder", lru_cache(CudaRecorder))  # with a new cache
    gpu = torch.device("cuda")
    assert recorder_for(CPU, exact=False) is None
    assert recorder_for(gpu, exact=True) is None
    first = recorder_for(gpu, exact=False)
    assert first is not None
    assert recorder_for(gpu, exact=False) is first
    monkeypatch.setenv("HARNESS_CUDA", "nostreams, exactgraphs")
    assert recorder_for(gpu, exact=True) is first
    monkeypatch.setenv("HARNESS_CUDA", "nographs")
    assert recorder_for(gpu, exact=False) is None
    monkeypatch.setenv("HARNESS_CUDA", "nograph")
    with pytest.raises(UsageError, match="'nograph' is not one of nographs, exactgraphs, nostreams, nopinned"):
        recorder_for(gpu, exact=False)
