"""Which device to run on, and that it computes in single precision."""

import contextlib
from collections.abc import Iterator

import psutil
import torch

from harness.errors import UsageError


def choose_device(name: str | None) -> str:
    """Return the named device after making sure that it is there; without a name the first GPU, else the CPU.

    From here on TF32 is off in this process, which torch uses for convolutions by default and which costs about three
    digits.

    Raises:
        UsageError: There is no such device.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} is not here: {str(error).splitlines()[0]}", "use --device cpu") from error
    return name


def has_tf32(device: str) -> bool:
    """Return whether a device is a GPU with TF32: one of compute capability 8 or later."""
    return torch.device(device).type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8


@contextlib.contextmanager
def torch_defaults() -> Iterator[None]:
    """Let convolutions run in TF32 meanwhile, which is torch's default; matrix products stay in single precision."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def free_memory(device: str) -> int:
    """Return the bytes of a device's memory that nobody uses now."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
