"""SIGTERM, as Slurm sends it some seconds before the end, and SIGHUP of a closed terminal: tidied up as for Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn these signals into an exit, with the code of a program that they end, that passes through all `finally`."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # One that the parent ignores, as `nohup` does SIGHUP, stays ignored.
    before = {one: signal.signal(one, leave) for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
