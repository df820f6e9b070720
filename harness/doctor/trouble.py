"""Checks that provoke failures: out of memory, and values that are not numbers."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import numpy as np
import torch

from harness.doctor.check import Finding
from harness.doctor.networks import RunId, protocol_of, read_config_of, seeded_network
from harness.doctor.people import rendered_people, settled
from harness.doctor.runs import demo_plan
from harness.errors import RunError
from harness.predict.decoding import decode
from harness.predict.forward import Forward
from harness.predict.shared import crop_batches, predict_shared

RUN: RunId = ("coco", "resnet-50-256x192", "val")
BATCH = {"cpu": 4, "cuda": 64}
SHARES = (0.6, 0.35, 0.2, 0.1)
"""Shares of the memory of a batch, tried in turn until memory runs out."""


class Memory(Interface):
    """The memory of a device that this process uses."""

    how: str
    """How the memory is limited."""

    def needed(self, work: Callable[[], object]) -> tuple[int, int]:
        """Return the bytes in use before `work`, and the maximum during it."""

    def bounded(self, most: int) -> contextlib.AbstractContextManager[None]:
        """Limit this process's memory to `most` bytes within the context."""


class CudaMemory:
    """A GPU's memory, in PyTorch's allocator."""

    how = "a bounded fraction of the device's memory"

    def __init__(self, device: str) -> None:
        index = torch.device(device).index
        self._index = torch.cuda.current_device() if index is None else index

    def needed(self, work: Callable[[], object]) -> tuple[int, int]:
        """As `Memory.needed`."""
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved(self._index)
        torch.cuda.reset_peak_memory_stats(self._index)
        work()
        return before, torch.cuda.max_memory_reserved(self._index)

    @contextlib.contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        """As `Memory.bounded`."""
        total = torch.cuda.get_device_properties(self._index).total_memory
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(most / total, self._index)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self._index)
            torch.cuda.empty_cache()


class StandInMemory:
    """Simulates a device's memory on a CPU: the network fails if a batch has more people than the limit allows.

    Args:
        network: A network, whose `extract_feat` is replaced.
    """

    how = "a stand-in: the CPU's memory is not bounded"
    _PERSON = 1000

    def __init__(self, network: Any) -> None:
        self._room: int | None = None
        self._largest = 0
        extract = network.extract_feat

        def extract_feat(inputs: torch.Tensor) -> Any:
            self._largest = max(self._largest, len(inputs))
            if self._room is not None and self._PERSON * len(inputs) > self._room:
                raise torch.OutOfMemoryError("out of memory, as the doctor provokes it")
            return extract(inputs)

        network.extract_feat = extract_feat

    def needed(self, work: Callable[[], object]) -> tuple[int, int]:
        """As `Memory.needed`, with a fixed number of bytes per person."""
        self._largest = 0
        work()
        return 0, self._PERSON * self._largest

    @contextlib.contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        """As `Memory.bounded`."""
        self._room = most
        try:
            yield
        finally:
            self._room = None


def check_out_of_memory(device: str, data: Path) -> Finding:
    """Let a batch run out of memory: it must be halved, warnings must report it, and the keypoints must not change."""
    config = read_config_of(RUN)
    network = seeded_network(config)
    kind = torch.device(device).type
    memory = CudaMemory(device) if kind == "cuda" else StandInMemory(network)
    protocol = protocol_of(config, device, BATCH.get(kind, BATCH["cuda"]))
    people = rendered_people(data, min(protocol.compute.batch_size, 16))
    (_, _, some), *_ = crop_batches(people, [(protocol.crop, len(people))])
    crops = np.resize(some, (protocol.compute.batch_size, *some.shape[1:]))

    def run() -> tuple[torch.Tensor, list[str]]:
        forward = Forward(network, protocol)
        return forward(torch.from_numpy(crops).to(device)), forward.warnings

    run()  # excludes memory that a library allocates once
    before, most = memory.needed(run)
    whole, _ = run()
    finding = Finding(figures={"people": len(crops)}, note=memory.how)
    if kind == "cuda":
        finding.figures["batch_mb"] = round((most - before) / 1e6, 1)
    for share in SHARES:
        with memory.bounded(before + int(share * (most - before))):
            halved, warnings = run()
        if warnings:
            break
    finding.figures |= {"bound_share": share, "halved": len(warnings)}
    finding.require(bool(warnings), f"{SHARES[-1]:.0%} of a batch's memory was enough: the memory did not run out")
    mask = settled(protocol.decoder, whole.cpu().numpy())
    (points, _), (expected, _) = (
        decode(heatmaps, protocol.decoder, protocol.crop.input_size) for heatmaps in (halved, whole)
    )
    finding.at_most("keypoint_px", float(np.abs(points - expected)[mask].max(initial=0)), 0.01)
    finding.add("heatmap_share", float((halved - whole).abs().max() / whole.abs().max()))
    finding.require(bool(mask.mean() > 0.5), f"only {mask.mean():.0%} of the keypoints can be compared")
    return finding


def check_not_a_number(device: str, data: Path) -> Finding:
    """Put a NaN into the last layer of one keypoint: the run must fail with an error that reports it."""
    plan = demo_plan(device, data, 2)
    network: Any = plan.network()
    network.head.final_layer.bias[3] = float("nan")
    try:
        predict_shared(Forward(network, plan.protocol), rendered_people(data, 2), plan.protocol, lambda _: None)
    except RunError as error:
        return Finding(
            figures={"error": str(error).splitlines()[0]},
            problems=[] if "not finite numbers" in str(error) else [f"another error: {error}"],
        )
    return Finding(problems=["heatmaps of NaN were decoded without an error"])
