"""An executor for one device, in this process."""

from collections import deque
from typing import Any, Self

from harness.run.environment import describe_environment
from harness.run.executors.base import Lost, OnPeople
from harness.run.worker import Result, Task, Worker


class Here:
    """An executor that does a task when the next result is requested.

    Args:
        device: A device such as `cpu` or `cuda:1`.
        progress: Called batch by batch.
    """

    workers = 1
    depth = 1

    def __init__(self, device: str, progress: OnPeople) -> None:
        self.device = device
        self._worker = Worker(device, progress)
        self._tasks: deque[Task] = deque()

    def free_memory(self) -> int:
        """Return the bytes of the device's memory available for networks."""
        return self._worker.free_memory()

    def environment(self) -> dict[str, Any]:
        """Return the environment of this process."""
        return describe_environment(self.device)

    def submit(self, task: Task) -> None:
        """Add a task to the queue."""
        self._tasks.append(task)

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Do the first task of the queue, and return its results."""
        task = self._tasks.popleft()
        return task, self._worker.do(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tasks.clear()
