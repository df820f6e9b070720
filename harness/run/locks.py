"""Locks of run folders: several processes can share an output folder, and each run is done by one of them.

The operating system releases the lock of a dead process, so no lock becomes stale. A network file system must support
`flock` between nodes (NFS 4, Lustre with -o flock).
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
    """The process that holds a run's lock."""

    process: int
    node: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.node} since {self.since}"


class RunLock:
    """The lock of one run, in a hidden file next to its folder.

    Args:
        folder: The run folder; it may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder.with_name(f".{folder.name}.lock")
        self._lock = FileLock(self._path)

    def acquire(self) -> bool:
        """Acquire the lock unless another process holds it; return whether this object holds it now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        holder = Holder(process=os.getpid(), node=socket.gethostname(), since=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        with contextlib.suppress(OSError):  # the content only informs other processes
            self._path.write_text(holder.model_dump_json())
        return True

    def release(self) -> None:
        """Release the lock, if this object holds it, and remove its file."""
        if self._lock.is_locked:
            # A process that waits for this file notices its removal, and locks a new one.
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._lock.release()

    def holder(self) -> Holder | None:
        """Return the other process that holds the lock; None if there is none."""
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
