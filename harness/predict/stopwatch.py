"""Measures time on a device."""

import time

import torch


class Stopwatch:
    """Adds up time on a device; on a GPU, it waits for the device only when the sum is read."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._cuda = device.type == "cuda"
        self._seconds = 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def __enter__(self) -> None:
        if self._cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            self._events.append((start, end))
            start.record(torch.cuda.current_stream(self._device))
        else:
            self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if self._cuda:
            self._events[-1][1].record(torch.cuda.current_stream(self._device))
        else:
            self._seconds += time.perf_counter() - self._start

    @property
    def seconds(self) -> float:
        """The sum so far, seconds."""
        if self._events:
            torch.cuda.synchronize(self._device)
            self._seconds += sum(float(start.elapsed_time(end)) for start, end in self._events) / 1000
            self._events.clear()
        return self._seconds
