"""Files that are whole or absent, and the content hashes that decide whether work must be done again."""

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

from harness.errors import ObtainError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it becomes `path` on success and is gone on failure.

    A process killed midway leaves at most a hidden `.<name>.*.part` file, never half a file under the final name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        with part.open("r+b") as file:  # Windows flushes only what is open for writing
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
    """Write a text file atomically, in UTF-8; half a surrogate pair, which has no UTF-8, as its escape."""
    with atomic_path(path) as part:
        part.write_bytes(_encoded(text))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, keys in the order given; a file that says just that stays as it is."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if not path.is_file() or path.read_bytes() != _encoded(text):
        write_text(path, text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def read_json(path: Path, what: str, hint: str | None = None) -> Any:
    """Read a JSON file; `what` says in an error what it was to be.

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
    """Whether there is such a file; of a name too long for any there is none, where Path.is_file raises an error."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hex; read once a process as long as nobody writes to the file."""
    status = path.stat()
    return _sha256(path, status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: Path, inode: int, size: int, written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(path: Path, pattern: str) -> str:
    """Return one sha256, in hex, over the names and contents of a folder's files that match a glob pattern.

    Raises:
        FileNotFoundError: No file matches.
    """
    files = sorted(path.glob(pattern))
    if not files:
        raise FileNotFoundError(errno.ENOENT, f"no {pattern} in it", str(path))
    return content_key([(file.name, sha256_file(file)) for file in files])


def content_key(*parts: Any) -> str:
    """Return a sha256 over JSON-able values; equal values give equal keys on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
