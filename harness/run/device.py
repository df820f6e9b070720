"""Chooses the device of a run, and sets it to single precision."""

import contextlib
from collections.abc import Iterator

import psutil
import torch

from harness.errors import UsageError, check_text

DEVICE_NAMES = "cpu, cuda or cuda:1"
"""Examples of names of devices, for messages."""


def choose_device(name: str | None) -> str:
    """Return the named device after checking that it exists; without a name the first GPU, else the CPU.

    This also disables TF32 in this process. torch enables it for convolutions by default, at the cost of about three
    digits.

    Raises:
        UsageError: The device does not exist, or its name is not text.
    """
    check_text("device", name, DEVICE_NAMES, optional=True)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} cannot be used: {str(error).splitlines()[0]}", "use --device cpu") from error
    return name


def has_tf32(device: str) -> bool:
    """Return whether a device is a GPU that supports TF32, i.e. has compute capability 8 or later."""
    return torch.device(device).type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8


@contextlib.contextmanager
def torch_defaults() -> Iterator[None]:
    """Enable TF32 for convolutions within the context, as torch does by default; matrix products stay in fp32."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def free_memory(device: str) -> int:
    """Return the free bytes of a device's memory."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
