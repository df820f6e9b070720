"""Speeds up imports that take seconds."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Disable garbage collection within the context; afterwards, exclude the imported modules from it.

    The modules of torch and MMPose consist of hundreds of thousands of objects, which all stay. Scanning them
    repeatedly takes a fifth of the time of their import.
    """
    enabled, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:  # otherwise networks may exist, which become garbage later
            gc.freeze()
        if enabled:
            gc.enable()
