"""CUDA graphs: all kernels of a batch in one launch, where launching them one by one takes longer than they do.

A graph is recorded for one shape of batch. It reads its input from the place in memory where that was at the time, and
writes its outputs to one place, so that both are copied at each replay.
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
"""The share of an output's maximum by which a replay may differ where rounding may: a library may choose other kernels
in a graph. A network whose computation depends on the values of a batch differs by more, or cannot be recorded."""


class Recorder(Interface):
    """What records graphs."""

    def record(self, compute: Callable[[], Outputs]) -> tuple[Callable[[], object], Outputs]:
        """Record a computation.

        Returns:
            What replays it, and its outputs, which are there after a replay and until the next one of any graph.

        Raises:
            torch.OutOfMemoryError: Memory does not suffice.
            RuntimeError: It cannot be recorded.
        """


class CudaRecorder:
    """Records graphs on a GPU. They share the memory for what is between inputs and outputs.

    So a graph's outputs must be read, on the stream of its replay, before another graph of this recorder is replayed.
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
            with torch.cuda.stream(stream):  # also the way back from it where `graph` fails at its end
                compute()  # what libraries do the first time on a stream cannot be recorded
                # Other threads may allocate pinned memory meanwhile.
                with torch.cuda.graph(graph, self._memory, stream, capture_error_mode="thread_local"):
                    outputs = compute()
        except RuntimeError as error:
            self._memory = torch.cuda.graph_pool_handle()  # the other one may be in any state
            with contextlib.suppress(RuntimeError):
                torch.cuda.synchronize(self._device)
            cause = error.__context__  # the end of a recording fails with an error of its own
            if not is_out_of_memory(error) and cause and is_out_of_memory(cause):
                raise torch.OutOfMemoryError(str(cause)) from error
            raise
        torch.cuda.current_stream(self._device).wait_stream(stream)
        return graph.replay, outputs


@lru_cache
def _cuda_recorder(device: torch.device) -> CudaRecorder:
    return CudaRecorder(device)


def recorder_for(device: torch.device, exact: bool) -> Recorder | None:
    """Return what records graphs on a device; None where batches are computed kernel by kernel.

    Exact precision has graphs only if they are switched on.
    """
    if device.type != "cuda" or switched("nographs") or (exact and not switched("exactgraphs")):
        return None
    return _cuda_recorder(device)


class Replays:
    """Computes batches of one size by replays of a graph, once it has been seen that these give the same.

    Args:
        compute: From crops [n, H, W, 3] to outputs.
        recorder: Records graphs.
        exact: Whether replays have to give the same to the last bit.
    """

    def __init__(self, compute: Callable[[Tensor], Outputs], recorder: Recorder, exact: bool) -> None:
        self._compute = compute
        self._recorder = recorder
        self._tolerance = 0.0 if exact else _TOLERANCE
        self._graph: tuple[Tensor, Callable[[], object], Outputs] | None = None
        self.failure: str | None = None
        """Why batches cannot be replayed, once one was tried."""

    def __call__(self, crops: Tensor) -> Outputs:
        """Return the outputs, a copy.

        Raises:
            torch.OutOfMemoryError: Memory does not suffice.
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
        """Give up the graph; the next batch may have another size."""
        self._graph = None

    def _recorded(self, crops: Tensor, expected: Outputs) -> tuple[Tensor, Callable[[], object], Outputs] | None:
        """Return a graph, its input and its outputs; None if a replay does not give the outputs expected of crops."""
        batch = crops.clone()
        replay, outputs = self._recorder.record(lambda: self._compute(batch))
        replay()
        for found, right in zip(outputs, expected, strict=True):
            difference, maximum = float((found - right).abs().max()), float(right.abs().max())
            if not difference <= self._tolerance * maximum:
                self.failure = f"a replay differs by {difference:.2g}, where {maximum:.2g} is the maximum"
                return None
        return batch, replay, outputs
