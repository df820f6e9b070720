"""Clean exit for SIGTERM, which Slurm sends some seconds before the end of a job, and SIGHUP of a closed terminal."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn these signals into `SystemExit` with the usual exit code, 128 + number, so that `finally` blocks run."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that the parent process ignores, as `nohup` does with SIGHUP, stays ignored.
    before = {one: signal.signal(one, leave) for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
