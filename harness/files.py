"""Atomic writing of files, and content hashes, which decide whether work must be repeated."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import ObtainError, UsageError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; it becomes `path` on success and is removed on failure.

    A killed process leaves at most a hidden `.<name>.*.part` file, never an incomplete file under the final name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        with part.open("r+b") as file:  # Windows flushes only files that are open for writing
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8; lone surrogates, which UTF-8 cannot encode, become escapes."""
    with atomic_path(path) as part:
        part.write_bytes(_encoded(text))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, keys in the given order; a file with the same content is not written."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if not path.is_file() or path.read_bytes() != _encoded(text):
        write_text(path, text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def read_json(path: Path, what: str, hint: str | None = None) -> Any:
    """Read a JSON file; `what` names its content in error messages.

    Raises:
        ObtainError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ObtainError(f"{what} is missing: {path}", hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ObtainError(f"{what} cannot be read: {path}: {error}", hint) from error


def is_file(path: Path) -> bool:
    """Return whether the file exists; False if the name is too long, for which Path.is_file raises an error."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hex; an unchanged file is read once per process."""
    status = path.stat()
    return _sha256(path, status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: Path, inode: int, size: int, written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(path: Path, pattern: str) -> str:
    """Return one sha256, in hex, of the names and contents of a folder's files that match a glob pattern.

    Raises:
        FileNotFoundError: No file matches.
    """
    files = sorted(path.glob(pattern))
    if not files:
        raise FileNotFoundError(errno.ENOENT, f"no {pattern} in it", str(path))
    return content_key([(file.name, sha256_file(file)) for file in files])


def content_key(*parts: Any) -> str:
    """Return a sha256 of JSON-able values; equal values give equal keys on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check_writable(out: Path) -> None:
    """Check that the output folder can be written to, before slow work begins.

    Raises:
        UsageError: The folder cannot be created or written to.
    """
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written to: {error.strerror}", "name another --out DIR") from error
