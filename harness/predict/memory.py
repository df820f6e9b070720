"""Recognizes out-of-memory errors."""

import torch

_OUT_OF_MEMORY = ("can't allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
"""Parts of the messages of out-of-memory errors without a class of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory of a device or of the CPU was too small."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)
