"""Keeps parsed files in memory, so that a process parses a file once for all stages."""

import gc
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

Content = TypeVar("Content")

KEPT = 4
"""Most files that are kept for each kind; a run reads one."""
SETTLED = 50_000_000
"""ns; only a file that is older is kept: a second change within this time may not alter the file's time of change."""


def read_once(parse: Callable[[Path], Content]) -> Callable[[Path], Content]:
    """Wrap a function that parses a file, or the *.json files of a folder: it returns the same value until one changes.

    The value is shared and must not be modified. Errors are not kept.
    """
    kept: dict[Any, Content] = {}

    @wraps(parse)
    def read(path: Path) -> Content:
        state = _state(path)
        if state is None:
            return parse(path)
        key = path.absolute(), state
        content = kept.pop(key) if key in kept else _uncollected(parse, path)
        if all(time.time_ns() - changed > SETTLED for *_, changed in state):
            kept[key] = content
            while len(kept) > KEPT:
                del kept[next(iter(kept))]
        return content

    return read


def _uncollected(parse: Callable[[Path], Content], path: Path) -> Content:
    """Parse without garbage collection, which finds nothing here and takes a third of the time for a large document."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return parse(path)
    finally:
        if enabled:
            gc.enable()


def _state(path: Path) -> tuple[tuple[str, int, int, int, int], ...] | None:
    """Return name, device, inode, size and time of each file, which differ after a change; None if one is missing."""
    try:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        found = [(file.name, file.stat()) for file in files]
    except OSError:
        return None
    return tuple((name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in found)
