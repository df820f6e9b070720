"""Signal handling of worker processes, and the causes of their death."""

import multiprocessing
import os
import signal
import threading


def leave_ends_to_parent() -> None:
    """Ignore Ctrl-C, which reaches child processes too, and exit when the parent process exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def cause_of_death(exit_code: int | None) -> str:
    """Return the cause of a process's end from its exit code: the name of a signal, or the code itself."""
    if exit_code is not None and exit_code < 0:
        killed = signal.Signals(-exit_code).name
        return f"{killed}{', perhaps out of memory' if killed == 'SIGKILL' else ''}"
    return f"exit code {exit_code}"
