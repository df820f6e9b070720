"""Functions for scoring processes, in a module that these can import."""

import multiprocessing
import os
from typing import Any

from harness.errors import RunError
from harness.run import measure as right


def dies(*args: Any, **options: Any) -> right.Measures:
    """Do the work in the main process; exit in any other process."""
    if multiprocessing.parent_process():
        os._exit(9)
    return right.measure(*args, **options)


def fails(*_: Any, **__: Any) -> right.Measures:
    """Raise the error of predictions that cannot be scored."""
    raise RunError("these cannot be scored", "make others")
