"""Archives: unpacks the wanted members of a zip, tar or tar.gz, which may be damaged or hostile.

Only the bytes of members are copied, into new files in an empty folder. Links, devices, owners and modes of the archive
are never created; this is stricter than `tarfile.data_filter`, and also holds for zip. A tar is read once, from its
first byte to its last.
"""

import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from errno import EXDEV
from filecmp import cmp
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from shutil import copyfile
from typing import IO

from harness.assets.cache import disk_errors, require_space
from harness.errors import HarnessError, ObtainError
from harness.files import atomic_path

MAX_BYTES = 1 << 38
"""Most bytes that an archive may unpack to: 256 GiB, ten times COCO's training images."""

MAX_RATIO = 200
"""Largest ratio of the unpacked size to the archive's size. Annotations in JSON reach 20, a zip bomb 1000."""

SMALL = 1 << 24
"""Bytes (16 MiB) that any archive may unpack to, with any ratio."""

_CHUNK = 1 << 18
_HINT = "get it again from its publisher"


def unpack(
    archive: Path,
    place: Callable[[str], str | None],
    required: Collection[str],
    folder: Path,
    progress: Callable[[int, int | None], object],
) -> list[Path]:
    """Unpack the wanted members of an archive: all of them, or nothing.

    They are written to a temporary folder in `folder` and renamed into place at the end. An existing file with the same
    content stays; an existing file with other content is replaced.

    Args:
        archive: A .zip, .tar or .tar.gz file. Its content decides the format, not its name.
        place: Returns the path below `folder` for a member of the archive; None if the member is not wanted.
        required: Paths below `folder` that the archive must provide: files, or folders with files.
        folder: The folder for the files. Folders below it may be links that the user made.
        progress: Called with the bytes of the archive that are processed, and its size.

    Returns:
        The files, sorted.

    Raises:
        ObtainError: The archive is missing, damaged, unsafe or a zip bomb, or lacks a required path; or the files
            cannot be written.
    """
    what = f"the content of {archive.name}"
    with disk_errors(folder, None, what):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{archive.name}.", suffix=".part") as staging:
            try:
                files = _extract(archive, place, required, Path(staging), progress)
            except HarnessError:
                raise
            except Exception as error:  # readers of damaged or hostile data raise any exception
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                reason = str(error) or type(error).__name__
                raise ObtainError(
                    f"archive is damaged or unsafe, or not a zip, tar or tar.gz: {archive}: {reason}", _HINT
                ) from error
            for file in files:
                _move(Path(staging, file), folder / file)
    return sorted(folder / file for file in files)


def _refused(archive: Path, member: str, reason: str) -> ObtainError:
    return ObtainError(f"archive refused: {archive}: member {member!r} {reason}", _HINT)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    kind: str
    """`file`, `folder`, or the name of another kind."""
    open: Callable[[], IO[bytes] | None]


def _extract(
    archive: Path,
    place: Callable[[str], str | None],
    required: Collection[str],
    staging: Path,
    progress: Callable[[int, int | None], object],
) -> list[str]:
    """Write the wanted members below `staging` and return their paths there."""
    size = archive.stat().st_size
    limit = min(MAX_BYTES, max(SMALL, MAX_RATIO * size))
    files: list[str] = []
    total = 0
    with archive.open("rb") as source:
        for member in _members(source, limit):
            if problem := _unsafe(member.name):
                raise _refused(archive, member.name, problem)
            target = place(str(PurePosixPath(member.name)))
            if target is None or member.kind == "folder":
                continue
            if problem := _unsafe(target):
                raise ObtainError(f"archive {archive} cannot be unpacked to {target}: it {problem}")
            if member.kind != "file":
                raise _refused(archive, member.name, f"is {member.kind}")
            total += member.size
            if total > limit:
                raise _refused(
                    archive, member.name, f"makes it unpack to {total:,} bytes, more than the {limit:,} allowed"
                )
            require_space(staging, member.size, f"{member.name} of {archive.name}")
            path = staging / target
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(exist_ok=False)
            except (FileExistsError, NotADirectoryError):
                raise _refused(archive, member.name, f"is a second member for {target}") from None
            for _ in _write(archive, member, path):
                progress(source.tell(), size)
            files.append(target)
    if missing := [path for path in required if not any(PurePosixPath(file).is_relative_to(path) for file in files)]:
        raise ObtainError(f"archive {archive} has no files for {', '.join(missing)}", "use the published archive")
    progress(size, size)
    return files


def _unsafe(name: str) -> str | None:
    """Return why a member's name leads out of the folder, on this or another operating system; None if it does not."""
    windows = PureWindowsPath(name)
    if windows.drive or windows.root:
        return "has an absolute path"
    if ".." in windows.parts:
        return "leads out of the folder"
    return "has a backslash in its path" if "\\" in name else None


def _write(archive: Path, member: _Member, path: Path) -> Iterator[None]:
    """Copy a member; yields after each chunk."""
    source = member.open()
    written = 0
    if source is None:
        raise _refused(archive, member.name, "has no content")
    with source, path.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                raise _refused(archive, member.name, f"has more than the {member.size:,} bytes that it declares")
            file.write(chunk)
            yield
    if written < member.size:
        raise _refused(archive, member.name, f"has {written:,} of the {member.size:,} bytes that it declares")


def _members(source: IO[bytes], limit: int) -> Iterator[_Member]:
    magic = source.read(4)
    source.seek(0)
    if magic[:2] == b"PK":
        return _zip_members(source)
    if magic[:2] == b"\x1f\x8b":
        return _tar_members(gzip.GzipFile(fileobj=source), limit)
    return _tar_members(source, limit)


def _zip_members(source: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(source) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            kinds = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "a link"}
            kind = "folder" if info.is_dir() else kinds.get(stat.S_IFMT(info.external_attr >> 16), "a device")
            yield _Member(info.filename, info.file_size, kind, partial(archive.open, info))


class _Counted(io.RawIOBase):
    """A tar as a stream that counts and limits the bytes that are read from it, wanted or not."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile, limit: int) -> None:
        self._source = source
        self._limit = limit
        self.count = 0
        self.tail = b""

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self.count += len(data)
        self.tail = (self.tail + data)[-tarfile.BLOCKSIZE :]
        if self.count > self._limit:
            raise tarfile.ReadError(f"it unpacks to more than the {self._limit:,} bytes allowed")
        return data


def _tar_members(source: IO[bytes] | gzip.GzipFile, limit: int) -> Iterator[_Member]:
    stream = _Counted(source, limit)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as archive:
        for info in archive:
            # A sparse file of a few bytes unpacks to any size.
            if info.issparse():
                kind = "a sparse file"
            elif info.isreg():
                kind = "file"
            else:
                kind = "folder" if info.isdir() else "a link" if info.issym() or info.islnk() else "a device"
            yield _Member(info.name, info.size, kind, partial(archive.extractfile, info))
    # tarfile accepts a tar that is cut between two members. A complete tar ends in zeros, and a complete gzip ends in a
    # checksum, which is verified when it is read.
    while stream.read(_CHUNK):
        pass
    if stream.tail.strip(b"\0"):
        raise tarfile.ReadError("it ends too early")


def _move(source: Path, target: Path) -> None:
    if target.is_file() and cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        # The target's folder is a link to another disk.
        with atomic_path(target) as part:
            copyfile(source, part)
