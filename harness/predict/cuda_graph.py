"""CUDA graphs: launch all kernels of a batch at once, because launching each may take longer than its work.

A graph is recorded for one shape of batch. It reads its input from a fixed place in memory and writes its outputs to
another, so that each replay copies both.
"""

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol as Interface

import torch
from torch import Tensor

from harness.predict.memory import is_out_of_memory
from harness.predict.switches import switched

Outputs = tuple[Tensor, ...]

_TOLERANCE = 1e-2
"""Largest difference of a replay as a share of the output's maximum, in precisions that allow rounding: a library may
choose other kernels in a graph. If the computation depends on the values of a batch, the difference is larger."""


class Recorder(Interface):
    """Records graphs."""

    def record(self, compute: Callable[[], Outputs]) -> tuple[Callable[[], object], Outputs]:
        """Record a computation.

        Returns:
            A function that replays it, and its outputs, which are valid from a replay to the next one of any graph.

        Raises:
            torch.OutOfMemoryError: The memory is too small.
            RuntimeError: It cannot be recorded.
        """


class CudaRecorder:
    """Records graphs on a GPU. They share the memory for intermediate values.

    A graph's outputs must be read, on the stream of its replay, before another graph of this recorder is replayed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._memory = torch.cuda.graph_pool_handle()

    def record(self, compute: Callable[[], Outputs]) -> tuple[Callable[[], object], Outputs]:
        """As `Recorder.record`."""
        stream = self._stream
        stream.wait_stream(torch.cuda.current_stream(self._device))
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(stream):  # also restores the stream if `graph` fails at its end
                compute()  # libraries initialize on the first call on a stream, which cannot be recorded
                # Other threads may allocate pinned memory during the recording.
                with torch.cuda.graph(graph, self._memory, stream, capture_error_mode="thread_local"):
                    outputs = compute()
        except RuntimeError as error:
            self._memory = torch.cuda.graph_pool_handle()  # the state of the old pool is undefined
            with contextlib.suppress(RuntimeError):
                torch.cuda.synchronize(self._device)
            cause = error.__context__  # leaving a failed recording raises another error
            if not is_out_of_memory(error) and cause and is_out_of_memory(cause):
                raise torch.OutOfMemoryError(str(cause)) from error
            raise
        torch.cuda.current_stream(self._device).wait_stream(stream)
        return graph.replay, outputs


@lru_cache
def _cuda_recorder(device: torch.device) -> CudaRecorder:
    return CudaRecorder(device)


def recorder_for(device: torch.device, exact: bool) -> Recorder | None:
    """Return a recorder of graphs for a device; None if batches are computed without graphs.

    In exact precision, graphs are used only if they are enabled (`switches.py`).
    """
    if device.type != "cuda" or switched("nographs") or (exact and not switched("exactgraphs")):
        return None
    return _cuda_recorder(device)


class Replays:
    """Computes batches of one size by replaying a graph, after a check that replays give the same outputs.

    Args:
        compute: Computes outputs from crops [n, H, W, 3].
        recorder: Records graphs.
        exact: Whether replays must give the same bits.
    """

    def __init__(self, compute: Callable[[Tensor], Outputs], recorder: Recorder, exact: bool) -> None:
        self._compute = compute
        self._recorder = recorder
        self._tolerance = 0.0 if exact else _TOLERANCE
        self._graph: tuple[Tensor, Callable[[], object], Outputs] | None = None
        self.failure: str | None = None
        """Why batches cannot be replayed; None if they can, or before the first attempt."""

    def __call__(self, crops: Tensor) -> Outputs:
        """Return a copy of the outputs.

        Raises:
            torch.OutOfMemoryError: The memory is too small.
        """
        if self._graph is None:
            outputs = self._compute(crops)
            try:
                self._graph = self._recorded(crops, outputs)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
                self.failure = (str(error).splitlines() or [type(error).__name__])[0]
            if self._graph is None:
                return outputs
        batch, replay, outputs = self._graph
        batch.copy_(crops)
        replay()
        return tuple(output.clone() for output in outputs)

    def forget(self) -> None:
        """Drop the graph; the next batch may have another size."""
        self._graph = None

    def _recorded(self, crops: Tensor, expected: Outputs) -> tuple[Tensor, Callable[[], object], Outputs] | None:
        """Return a graph, its input and its outputs; None if a replay on the crops does not give `expected`."""
        batch = crops.clone()
        replay, outputs = self._recorder.record(lambda: self._compute(batch))
        replay()
        for found, right in zip(outputs, expected, strict=True):
            difference, maximum = float((found - right).abs().max()), float(right.abs().max())
            if not difference <= self._tolerance * maximum:
                self.failure = f"a replay differs by {difference:.2g}, with a maximum of {maximum:.2g}"
                return None
        return batch, replay, outputs
