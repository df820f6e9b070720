"""Worker processes that do checks, several at a time, until the time is over.

Checks run in separate processes, so that a check that crashes its process or hangs does not stop the others.
"""

import contextlib
import gc
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from harness.doctor.check import Check
from harness.doctor.outcome import Outcome
from harness.run.process import cause_of_death, leave_ends_to_parent

_PATIENCE = 10.0
"""Seconds to wait for the end of a killed process, which a driver may delay."""
_CONTEXT = multiprocessing.get_context("spawn")  # CUDA does not survive a fork


class Pool:
    """Processes on one device. They start at once, so that their imports overlap with the caller's work.

    Args:
        device: A device such as `cuda:1`.
        workers: Number of processes.
        threads: Number of torch's CPU threads in each process.
    """

    def __init__(self, device: str, workers: int, threads: int) -> None:
        self._arguments = (device, threads)
        self._processes: dict[Connection, Any] = {}
        for _ in range(workers):
            self._start()

    def outcomes(
        self, checks: Sequence[Check], deadline: float, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[Outcome]:
        """Yield the outcome of each finished check; at the deadline, also those of unfinished checks.

        Args:
            checks: The checks in order of importance.
            deadline: End of the checks, in seconds of the clock.
            clock: Returns the time in seconds.
        """
        waiting, busy = deque(checks), dict[Connection, tuple[Check, float]]()
        while waiting or busy:
            for connection in [free for free in self._processes if free not in busy]:
                if waiting:
                    busy[connection] = waiting.popleft(), clock()
                    with contextlib.suppress(OSError):  # the process died; receiving from it below reports that
                        connection.send(busy[connection][0])
            left = deadline - clock()
            if left <= 0:
                break
            for ready in wait(list(busy), timeout=left):
                assert isinstance(ready, Connection)
                check, begun = busy.pop(ready)
                try:
                    outcome = ready.recv()
                except (EOFError, OSError):
                    cause = self._replace(ready)
                    seconds = clock() - begun
                    outcome = check.outcome("failed", reason=f"its process died: {cause}", seconds=seconds)
                yield outcome
        now = clock()
        for connection, (check, begun) in busy.items():
            self._processes[connection].kill()
            yield check.outcome("not run", reason=f"out of time: stopped after {now - begun:.0f} s")
        for check in waiting:
            yield check.outcome("not run", reason="out of time")

    def _start(self) -> None:
        ours, theirs = _CONTEXT.Pipe()
        # Not daemons, because daemons may not start processes, and checks of executors do.
        process = _CONTEXT.Process(target=_work, args=(theirs, *self._arguments))
        process.start()
        theirs.close()
        self._processes[ours] = process

    def _replace(self, connection: Connection) -> str:
        """Start a process that replaces a dead one, and return the cause of death."""
        process = self._processes.pop(connection)
        process.join()
        connection.close()
        self._start()
        return cause_of_death(process.exitcode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.join(_PATIENCE)


def _work(connection: Connection, device: str, threads: int) -> None:
    """Do checks until the parent closes the connection; the main function of a worker process."""
    leave_ends_to_parent()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for processes that checks start
    import torch

    from harness.run.device import choose_device

    choose_device(device)
    torch.set_num_threads(threads)
    while True:
        try:
            check = connection.recv()
        except EOFError:
            return
        connection.send(check.run())
        gc.collect()
        if device != "cpu":  # release memory for other workers
            torch.cuda.empty_cache()
