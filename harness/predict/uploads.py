"""Copies crops to a device, and allocates the memory for crops."""

from collections.abc import Callable
from typing import Protocol as Interface

import numpy as np
import torch

from harness.arrays import Image
from harness.predict.switches import switched


class Uploads(Interface):
    """Copies crops to a device."""

    def empty(self, shape: tuple[int, ...]) -> Image:
        """Return memory for crops from which they can be copied directly."""

    def load(self, crops: Image) -> torch.Tensor:
        """Return crops [n, H, W, 3] on the device, for use on the current stream; the copy may still be running."""

    def fence(self) -> Callable[[], object]:
        """Return a function that waits for all copies started so far; their sources must not change before."""


class HostUploads:
    """No copies: the device is the CPU."""

    def empty(self, shape: tuple[int, ...]) -> Image:
        """As `Uploads.empty`."""
        return np.empty(shape, np.uint8)

    def load(self, crops: Image) -> torch.Tensor:
        """Return a tensor in the same memory."""
        return torch.from_numpy(crops)

    def fence(self) -> Callable[[], object]:
        """Return a function that does nothing."""
        return lambda: None


class CudaUploads:
    """Copies from pinned memory, on a separate stream beside the computing one."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pinned = not switched("nopinned")
        self._stream = None if switched("nostreams") else torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._copied: torch.cuda.Event | None = None
        """The end of the copies started so far."""

    def empty(self, shape: tuple[int, ...]) -> Image:
        """As `Uploads.empty`."""
        memory: Image = torch.empty(shape, dtype=torch.uint8, pin_memory=self._pinned).numpy()
        return memory

    def load(self, crops: Image) -> torch.Tensor:
        """As `Uploads.load`."""
        source = torch.from_numpy(crops)
        if not source.is_pinned():  # such as crops that were joined from two blocks
            source = source.pin_memory()
        computing = torch.cuda.current_stream(self._device)
        stream = self._stream or computing
        with torch.cuda.stream(stream):
            loaded = source.to(self._device, non_blocking=True)
            self._copied = stream.record_event()
        if stream is not computing:
            computing.wait_event(self._copied)
            loaded.record_stream(computing)  # its memory is not reused before the computation has finished with it
        return loaded

    def fence(self) -> Callable[[], object]:
        """As `Uploads.fence`."""
        return self._copied.synchronize if self._copied else lambda: None


def uploads_to(device: torch.device) -> Uploads:
    """Return the uploads for a device."""
    return CudaUploads(device) if device.type == "cuda" else HostUploads()
