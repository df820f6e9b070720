"""Locks of run folders: of several processes with one output folder, one works on a run.

The system lets go of a dead process's lock, so none is ever stale; on a network file system that takes one on which
`flock` works between nodes (NFS 4, Lustre with -o flock).
"""

import contextlib
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness.fields import Fields


class Holder(Fields):
    """Who works on a run."""

    process: int
    node: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.node} since {self.since}"


class RunLock:
    """The lock of one run, in a hidden file beside its folder.

    Args:
        folder: The run folder, which need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder.with_name(f".{folder.name}.lock")
        self._lock = FileLock(self._path)

    def acquire(self) -> bool:
        """Take the lock unless somebody else has it; whether it is ours now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        holder = Holder(process=os.getpid(), node=socket.gethostname(), since=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        with contextlib.suppress(OSError):  # it only tells others
            self._path.write_text(holder.model_dump_json())
        return True

    def release(self) -> None:
        """Let go of the lock, if it is ours, and of its file."""
        if self._lock.is_locked:
            # Whoever waits for this file notices that it is gone, and locks a new one.
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._lock.release()

    def holder(self) -> Holder | None:
        """Return who else has the lock; None where nobody has."""
        if not self._path.is_file():
            return None
        probe = FileLock(self._path)
        try:
            probe.acquire(blocking=False)
        except Timeout:
            try:
                return Holder.model_validate_json(self._path.read_bytes())
            except (OSError, ValidationError):
                return Holder(process=0, node="an unknown node", since="an unknown time")
        probe.release()
        return None
