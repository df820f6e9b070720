"""What scoring processes may do; a module, since they import it."""

import multiprocessing
import os
from typing import Any

from harness.errors import RunError
from harness.run import measure as right


def dies(*args: Any, **options: Any) -> right.Measures:
    """Do the work, but only in the first process."""
    if multiprocessing.parent_process():
        os._exit(9)
    return right.measure(*args, **options)


def fails(*_: Any, **__: Any) -> right.Measures:
    """Find that predictions cannot be scored."""
    raise RunError("these cannot be scored", "make others")
