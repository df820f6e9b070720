"""Where downloads lie: the folder they share, the parts of files that are not whole yet, the room on the disk."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import platformdirs

from harness.document import Document
from harness.errors import ObtainError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HINT = "free some space there, or use a folder on another disk"


def cache_folder() -> Path:
    """Return the folder that all downloads share: HARNESS_CACHE, else the platform's own folder for caches."""
    if named := os.environ.get("HARNESS_CACHE"):
        try:
            return Path(named).expanduser()
        except RuntimeError as error:
            raise UsageError(f"HARNESS_CACHE={named}: {error}") from error
    return platformdirs.user_cache_path("pose-harness", appauthor=False)


class Origin(Document):
    """Where the bytes of a part come from."""

    title: ClassVar[str] = "note of a download"

    url: str
    validator: str
    """The ETag or, without a strong one, Last-Modified; what If-Range takes (RFC 9110, section 13.1.5)."""
    total: int | None
    """Bytes of the whole file."""


class Part:
    """The bytes of a file that are there, beside its final name; of use only with the note of their origin."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")

    def origin(self, url: str) -> Origin | None:
        """Return the origin of a part that can be resumed from a URL."""
        try:
            origin = Origin.load(self._note)
        except ObtainError:
            return None
        return origin if origin.url == url and self.path.is_file() else None

    def held(self, url: str) -> int:
        """Return how many bytes of a URL's file are there."""
        return self.path.stat().st_size if self.origin(url) else 0

    def write_origin(self, origin: Origin) -> None:
        """Note the origin of a part that has just begun."""
        origin.save(self._note)

    def move(self, target: Path) -> None:
        """Give the whole file its name."""
        self.path.replace(target)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what is there."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Make sure that `needed` bytes fit into an existing folder.

    Raises:
        ObtainError: They do not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ObtainError(f"{what} does not fit: {needed:,} bytes are needed, {free:,} are free in {folder}", _HINT)


@contextlib.contextmanager
def disk_errors(folder: Path, needed: int | None, what: str) -> Iterator[None]:
    """Turn what the disk refuses into an error that names the folder and the bytes needed, where they are known.

    Raises:
        ObtainError: The disk is full, or the folder cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            bytes_needed = f", {needed:,} bytes are needed" if needed is not None else ""
            raise ObtainError(f"{what} does not fit: the disk is full{bytes_needed} in {folder}", _HINT) from error
        path = error.filename or folder
        raise ObtainError(f"{what} cannot be read or written: {path}: {error.strerror or error}") from error
