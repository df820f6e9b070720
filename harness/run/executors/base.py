"""The interface of executors."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any, Self
from typing import Protocol as Interface

from harness.errors import HarnessError
from harness.run.worker import Result, Task

OnPeople = Callable[[int], object]
"""Called with the number of people done since the last call."""


class Lost(Exception):  # noqa: N818 (it is returned, not raised)
    """A worker died during a task, or its node was lost."""


class Executor(Interface):
    """Does tasks in any order, as many at a time as it has workers."""

    @property
    def device(self) -> str:
        """Name of the device in records: `cpu`, `cuda`, or one device such as `cuda:1`."""

    @property
    def workers(self) -> int:
        """Number of tasks done at a time."""

    @property
    def depth(self) -> int:
        """Number of tasks to submit, so that no worker waits for one."""

    def free_memory(self) -> int:
        """Return the bytes of memory available for networks on each of its devices."""

    def environment(self) -> dict[str, Any]:
        """Return the environment of its workers as JSON-able values."""

    def submit(self, task: Task) -> None:
        """Add a task to the queue."""

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Wait until a task is done or its worker lost; return the task with the result of each of its runs.

        Raises:
            RunError: There is no worker left.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def portable(results: list[Result]) -> list[Result]:
    """Return results that can be sent to another process; tracebacks, which cannot, are kept as notes."""
    return [_portable(result) if isinstance(result, Exception) else result for result in results]


def _portable(error: Exception) -> Exception:
    if not isinstance(error, HarnessError):
        error.add_note(f"In the worker:\n{''.join(traceback.format_exception(error))}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (pickling may raise any error of the error's class)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
