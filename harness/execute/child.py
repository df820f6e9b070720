"""How a process behaves that works for another one."""

import multiprocessing
import os
import signal
import threading


def leave_ends_to_parent() -> None:
    """Let Ctrl-C, which reaches children as well, be the parent's to handle, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
