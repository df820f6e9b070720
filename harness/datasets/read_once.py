"""Files that several stages read are parsed once in a process."""

import gc
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

Content = TypeVar("Content")

KEPT = 4
"""So many files of a kind are kept; a run reads one."""
SETTLED = 50_000_000
"""ns since the last change of a file, from which on another change shows in its time."""


def read_once(parse: Callable[[Path], Content]) -> Callable[[Path], Content]:
    """Make a function that parses a file, or the *.json files of a folder, return the same value until one changes.

    What it returns is shared, so nobody may change it. Nothing is kept of a file that cannot be parsed.
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
    """Parse without collections of garbage: there is none, and they take a third of the time of a large document."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return parse(path)
    finally:
        if enabled:
            gc.enable()


def _state(path: Path) -> tuple[tuple[str, int, int, int, int], ...] | None:
    """Return what tells the files from later ones of their names; None where one cannot be found."""
    try:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        found = [(file.name, file.stat()) for file in files]
    except OSError:
        return None
    return tuple((name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in found)
