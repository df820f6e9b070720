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


def cause_of_death(exit_code: int | None) -> str:
    """Return what ended a process, from its exit code: the name of a signal, or the code itself."""
    if exit_code is not None and exit_code < 0:
        killed = signal.Signals(-exit_code).name
        return f"{killed}{', perhaps for want of memory' if killed == 'SIGKILL' else ''}"
    return f"exit code {exit_code}"
