"""Imports that take seconds."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Meanwhile, garbage is not looked for; if modules were imported, it never is among what is there in the end.

    The modules of torch and MMPose are objects by the hundred thousand, all of which stay; to look through them again
    and again takes a fifth of the time of their import.
    """
    enabled, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:  # else there may be networks, which are garbage some day
            gc.freeze()
        if enabled:
            gc.enable()
