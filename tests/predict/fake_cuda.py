"""A replacement of torch.cuda on a CPU: streams that record the order of operations, and graphs with replay."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

WAITED_FOR = ("_local_scalar_dense", "nonzero", "lift_fresh", "_unique2", "is_nonzero", "equal")
"""Operations that wait for a GPU or read host memory, which a graph cannot contain."""


class FakeEvent:
    """The end of the operations on a stream so far."""

    def __init__(self, cuda: "FakeCuda", stream: str = "") -> None:
        self._cuda, self._stream = cuda, stream

    def record(self, stream: "FakeStream") -> None:
        """Mark the end of the operations on a stream so far."""
        self._stream = stream.name
        self._milliseconds = next(self._cuda.milliseconds)

    def elapsed_time(self, later: "FakeEvent") -> float:
        """Return the milliseconds to a later event."""
        return float(later._milliseconds - self._milliseconds)

    def synchronize(self) -> None:
        """Wait."""
        self._cuda.events.append(f"wait for {self._stream}")


class FakeStream:
    """A stream."""

    def __init__(self, cuda: "FakeCuda", name: str) -> None:
        self._cuda, self.name = cuda, name

    def record_event(self) -> FakeEvent:
        """Return an event for the end of the operations so far."""
        self._cuda.events.append(f"event on {self.name}")
        return FakeEvent(self._cuda, self.name)

    def wait_event(self, event: FakeEvent) -> None:
        """Make later operations wait for an event."""
        self._cuda.events.append(f"{self.name} after {event._stream}")

    def wait_stream(self, stream: "FakeStream") -> None:
        """Make later operations wait for all operations on another stream so far."""
        self._cuda.events.append(f"{self.name} after {stream.name}")


class Recordable(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Rejects operations that a CUDA graph cannot contain: waits for the device, and arrays in host memory."""

    device = "cpu"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
        if name in WAITED_FOR or any(values.device.type != self.device and values.dim() for values in tensors):
            raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({name})")
        return func(*args, **(kwargs or {}))


class RecordableOnMeta(Recordable):  # type: ignore[no-untyped-call]
    """The same for networks without values (meta tensors)."""

    device = "meta"


class FakeGraph(Recordable):  # type: ignore[no-untyped-call]
    """Records operations; a replay repeats them on the same memory, as a CUDA graph does."""

    def __init__(self, cuda: "FakeCuda") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._cuda = cuda
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = super().__torch_dispatch__(func, types, args, kwargs)
        self.operations.append((func, args, kwargs or {}, made))
        return made

    def replay(self) -> None:
        """Repeat the operations; outputs of other graphs become invalid, because all share their memory."""
        self._cuda.events.append(f"replay on {self._cuda.current.name}")
        for other in self._cuda.graphs:
            if other is not self:
                other.poison()
        for func, args, kwargs, made in self.operations:
            for new, old in zip(tree_flatten(func(*args, **kwargs))[0], tree_flatten(made)[0], strict=True):
                if isinstance(old, torch.Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)

    def poison(self) -> None:
        """Overwrite the outputs."""
        if self.operations:
            for values in tree_flatten(self.operations[-1][3])[0]:
                values.fill_(torch.nan)


class FakeCuda:
    """The state of the replacement, for tests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.graphs: list[FakeGraph] = []
        self.current = FakeStream(self, "computing")
        self.fails_at_end = False
        """Whether recordings fail at their end, which leaves the recording stream active, as in torch."""
        self.crops_are_pinned = True
        self.milliseconds = itertools.count(0, 10)
        """The time of each event with timing."""
        self._names = iter(["side", "second side", "third side"])
        self._pools = iter(range(1000))
        replaced = {
            "Stream": lambda device: FakeStream(self, next(self._names)),
            "current_stream": lambda device=None: self.current,
            "stream": self._stream,
            "CUDAGraph": self._graph,
            "graph": self._recording,
            "graph_pool_handle": lambda: next(self._pools),
            "synchronize": lambda device=None: self.events.append(f"wait for {device}"),
            "Event": lambda enable_timing: FakeEvent(self),
        }
        for name, replacement in replaced.items():
            monkeypatch.setattr(torch.cuda, name, replacement)
        empty = torch.empty

        def pinned(*size: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
            if pin_memory:
                self.events.append("pinned memory")
            return empty(*size, **options)

        monkeypatch.setattr(torch, "empty", pinned)

        def pin(values: torch.Tensor) -> torch.Tensor:
            self.events.append("copy to pinned memory")
            return values.clone()

        def keep(_: torch.Tensor, stream: FakeStream) -> None:
            self.events.append(f"kept for {stream.name}")

        monkeypatch.setattr(torch.Tensor, "is_pinned", lambda _: self.crops_are_pinned)
        monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
        monkeypatch.setattr(torch.Tensor, "record_stream", keep)

    def _graph(self) -> FakeGraph:
        self.graphs.append(FakeGraph(self))
        return self.graphs[-1]

    @contextmanager
    def _stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _recording(self, graph: FakeGraph, pool: Any, stream: FakeStream, capture_error_mode: str) -> Iterator[None]:
        self.events.append(f"recording on {stream.name}")
        before, self.current = self.current, stream
        with graph:
            yield
        if self.fails_at_end:
            raise RuntimeError("operation failed due to a previous error during capture")
        self.current = before
