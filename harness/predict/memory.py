"""Memory that does not suffice."""

import torch

_OUT_OF_MEMORY = ("can't allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
"""How errors say it that have no class of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the CPU's memory, was too small for what was asked of it."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)
