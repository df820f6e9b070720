"""SIGTERM, as Slurm sends it some seconds before the end: all is tidied up as for Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

TERMINATED = 143


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into an exit that passes through everybody's `finally`."""

    def leave(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
