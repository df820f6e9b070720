"""What every executor does."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any, Self
from typing import Protocol as Interface

from harness.errors import HarnessError
from harness.run.worker import Result, Task

OnPeople = Callable[[int], object]
"""Called with a number of people done."""


class Lost(Exception):  # noqa: N818 (it is an outcome, not raised)
    """A worker died, or its node went, while it did a task."""


class Executor(Interface):
    """Does tasks; as many at a time as it has workers, in any order."""

    @property
    def device(self) -> str:
        """What records say of where it runs: `cpu`, `cuda`, or one device such as `cuda:1`."""

    @property
    def workers(self) -> int:
        """How many tasks it does at a time."""

    @property
    def depth(self) -> int:
        """How many tasks it should have, so that no worker waits for one."""

    def free_memory(self) -> int:
        """Return the bytes of memory that networks may use on each of its devices."""

    def environment(self) -> dict[str, Any]:
        """Describe what its workers run on, as JSON-able values."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Wait until a task is done, or its worker lost; return it with what became of each of its runs.

        Raises:
            RunError: There is no worker left that could do it.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def portable(results: list[Result]) -> list[Result]:
    """Return results that can be sent to another process, where tracebacks get lost: notes stay."""
    return [_portable(result) if isinstance(result, Exception) else result for result in results]


def _portable(error: Exception) -> Exception:
    if not isinstance(error, HarnessError):
        error.add_note(f"In the worker:\n{''.join(traceback.format_exception(error))}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (whatever the error's class makes of it)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
