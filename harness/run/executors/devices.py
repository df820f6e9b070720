"""An executor for several devices of one machine, with one process per device."""

import multiprocessing
import queue
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

from harness.run.device import choose_device, free_memory
from harness.run.environment import describe_environment
from harness.run.executors.base import Lost, OnPeople, portable
from harness.run.process import cause_of_death, leave_ends_to_parent
from harness.run.worker import Result, Task, Worker

_CONTEXT = multiprocessing.get_context("spawn")  # CUDA does not survive a fork


class Devices:
    """An executor with a process for each device; a process that dies is replaced.

    Args:
        devices: Devices such as `cuda:0` and `cuda:1`; a device may occur twice.
        progress: Called batch by batch, from several threads.
    """

    def __init__(self, devices: Sequence[str], progress: OnPeople) -> None:
        self.device = devices[0].partition(":")[0]
        self._devices = devices
        self._progress = progress
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Task, list[Result] | Lost]] = queue.SimpleQueue()
        self._processes: dict[int, Any] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(number, device), daemon=True)
            for number, device in enumerate(devices)
        ]

    @property
    def workers(self) -> int:
        """Number of devices."""
        return len(self._devices)

    @property
    def depth(self) -> int:
        """Two tasks per device: the current and the next one."""
        return 2 * len(self._devices)

    def free_memory(self) -> int:
        """Return the bytes of memory available for networks on each device."""
        return min(free_memory(device) // self._devices.count(device) for device in self._devices)

    def environment(self) -> dict[str, Any]:
        """Return the environment of the first device's process."""
        return describe_environment(self._devices[0])

    def submit(self, task: Task) -> None:
        """Add a task to the queue."""
        self._tasks.put(task)

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Wait until a task is done or its process died."""
        return self._done.get()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        for _thread in self._threads:
            self._tasks.put(None)
        for process in list(self._processes.values()):
            process.kill()  # its result is no longer needed

    def _serve(self, number: int, device: str) -> None:
        """Send tasks to a device's process, one after the other."""
        connection: Connection | None = None
        while (task := self._tasks.get()) is not None and not self._closed:
            if connection is None:
                connection = self._start(number, device)
            try:
                connection.send(task)
                while isinstance(answer := connection.recv(), int):
                    self._progress(answer)
                self._done.put((task, answer))
            except (EOFError, OSError):
                process = self._processes[number]
                process.join()
                connection.close()
                connection = None
                self._done.put((task, Lost(f"the process for {device} died: {cause_of_death(process.exitcode)}")))

    def _start(self, number: int, device: str) -> Connection:
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_work, args=(theirs, device), daemon=True)
        process.start()
        self._processes[number] = process
        theirs.close()
        return ours


def _work(connection: Connection, device: str) -> None:
    """Do tasks until the parent closes the connection; the main function of a worker process."""
    leave_ends_to_parent()
    choose_device(device)
    worker = Worker(device, connection.send)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(portable(worker.do(task)))
