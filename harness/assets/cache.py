"""The cache of downloads: its folder, the parts of incomplete files, and the free space on the disk."""

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
    """Return the folder that all downloads share: HARNESS_CACHE, or the platform's folder for caches.

    Raises:
        UsageError: HARNESS_CACHE names a home folder that does not exist.
    """
    if named := os.environ.get("HARNESS_CACHE"):
        try:
            return Path(named).expanduser()
        except RuntimeError as error:
            raise UsageError(f"HARNESS_CACHE={named}: {error}") from error
    return platformdirs.user_cache_path("pose-harness", appauthor=False)


def checkpoint_folder() -> Path:
    """Return the folder of checkpoints in the cache; raises as `cache_folder`."""
    return cache_folder() / "checkpoints"


class Origin(Document):
    """The source of a part's bytes."""

    title: ClassVar[str] = "note of a download"

    url: str
    validator: str
    """The value for If-Range: the ETag or, without a strong one, Last-Modified (RFC 9110, section 13.1.5)."""
    total: int | None
    """Bytes of the whole file."""


class Part:
    """The downloaded bytes of an incomplete file, beside its final name; usable with the note of their origin only."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")

    def origin(self, url: str) -> Origin | None:
        """Return the origin of a part that can be resumed from a URL; None if there is no such part."""
        try:
            origin = Origin.load(self._note)
        except ObtainError:
            return None
        return origin if origin.url == url and self.path.is_file() else None

    def held(self, url: str) -> int:
        """Return how many bytes of a URL's file are downloaded."""
        return self.path.stat().st_size if self.origin(url) else 0

    def write_origin(self, origin: Origin) -> None:
        """Save the origin of a part whose download has just begun."""
        origin.save(self._note)

    def move(self, target: Path) -> None:
        """Rename the complete file to its final name."""
        self.path.replace(target)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the part and its note."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Check that an existing folder's disk has `needed` free bytes.

    Raises:
        ObtainError: It has fewer; names the bytes.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ObtainError(f"{what} does not fit: {needed:,} bytes are needed, {free:,} are free in {folder}", _HINT)


@contextlib.contextmanager
def disk_errors(folder: Path, needed: int | None, what: str) -> Iterator[None]:
    """Turn errors of the disk into an `ObtainError` that names the folder and, where known, the bytes needed.

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
