"""Copies of crops to a device: no memory block is reused before it is copied."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_cuda import FakeCuda
from small_passes import SmallNetwork, draw_people, protocol

from harness.arrays import Image
from harness.datasets.people import People
from harness.predict import forward as forward_module
from harness.predict import shared
from harness.predict.crop_stream import crop_stream
from harness.predict.cuda_graph import CudaRecorder
from harness.predict.forward import Forward
from harness.predict.shared import Estimator, predict_together
from harness.predict.uploads import CudaUploads, HostUploads
from harness.predictions import Predictions
from harness.protocol import Crop

CPU = torch.device("cpu")
PLAIN = Crop(input_size=(48, 64), padding=1.25, affine="plain")


class LateUploads(HostUploads):
    """Copies only when the fence is awaited."""

    def __init__(self) -> None:
        self.blocks: list[Image] = []
        self.under_way: list[tuple[Image, torch.Tensor]] = []
        self.late: list[torch.Tensor] = []

    def empty(self, shape: tuple[int, ...]) -> Image:
        self.blocks.append(super().empty(shape))
        return self.blocks[-1]

    def load(self, crops: Image) -> torch.Tensor:
        loaded = torch.zeros(crops.shape, dtype=torch.uint8)
        self.under_way.append((crops, loaded))
        self.late.append(loaded)
        return loaded

    def fence(self) -> Callable[[], object]:
        begun = list(self.under_way)

        def wait() -> None:
            for crops, loaded in begun:
                loaded.copy_(torch.from_numpy(crops))
            self.under_way = [one for one in self.under_way if all(one is not other for other in begun)]

        return wait


@pytest.fixture
def people(tmp_path: Path) -> People:
    return draw_people(tmp_path, [5, 1, 7, 3, 6, 2, 9])


@pytest.mark.parametrize("threads", [1, 4])
def test_blocks_are_filled_again_only_when_they_are_copied(people: People, threads: int) -> None:
    right = [crops.copy() for _, (crops,) in crop_stream(people, [PLAIN], 4, threads)]
    uploads = LateUploads()
    for _, (crops,) in crop_stream(people, [PLAIN], 4, threads, uploads):
        uploads.load(crops)
    assert not uploads.under_way  # the memory is returned only afterwards
    for found, expected in zip(uploads.late, right, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
    assert threads > 1 or len(uploads.blocks) < len(right)  # some blocks are reused


def test_a_reader_that_stops(people: People) -> None:
    uploads = LateUploads()
    stream = crop_stream(people, [PLAIN], 4, 2, uploads)
    _, (crops,) = next(stream)
    right = crops.copy()
    uploads.load(crops)
    stream.close()
    np.testing.assert_array_equal(uploads.late[0].numpy(), right)


def test_copies_beside_the_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    uploads = CudaUploads(CPU)
    uploads.fence()()
    crops = uploads.empty((4, 64, 48, 3))
    crops[:] = 7
    assert int(uploads.load(crops).sum()) == 7 * crops.size
    uploads.fence()()
    copy = ["event on side", "computing after side", "kept for computing"]
    assert cuda.events == ["pinned memory", *copy, "wait for side"]
    cuda.events.clear()
    cuda.crops_are_pinned = False
    uploads.load(crops)
    assert cuda.events == ["copy to pinned memory", *copy]


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    monkeypatch.setenv("HARNESS_CUDA", "nopinned,nostreams")
    uploads = CudaUploads(CPU)
    uploads.load(uploads.empty((4, 64, 48, 3)))
    uploads.fence()()
    assert cuda.events == ["event on computing", "wait for computing"]


@pytest.mark.parametrize("switches", ["", "nostreams", "nopinned"])
def test_a_pass_with_all_of_it(people: People, switches: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks with other batch sizes; for one of them, crops of two blocks are joined."""
    protocols = [protocol(batch_size=4), protocol(batch_size=4), protocol(batch_size=7)]

    def run() -> list[Predictions | Exception]:
        return predict_together(
            [Estimator(Forward(SmallNetwork(i), each), each, lambda _: None) for i, each in enumerate(protocols)],
            people,
        )

    right = run()
    cuda = FakeCuda(monkeypatch)
    monkeypatch.setenv("HARNESS_CUDA", switches)
    recorder = CudaRecorder(CPU)
    monkeypatch.setattr(forward_module, "recorder_for", lambda *_: recorder)
    monkeypatch.setattr(shared, "uploads_to", CudaUploads)
    for found, expected in zip(run(), right, strict=True):
        assert isinstance(found, Predictions)
        assert isinstance(expected, Predictions)
        np.testing.assert_array_equal(found.keypoints, expected.keypoints)
        np.testing.assert_array_equal(found.keypoint_scores, expected.keypoint_scores)
    assert len(cuda.graphs) == 3
    assert "replay on computing" in cuda.events
