"""Archives: the wanted members of a zip, tar or tar.gz, out of an archive that may be damaged or hostile.

Nothing here extracts what an archive describes. A member's bytes are copied into a file of ours in an empty folder, so
that links, devices, owners and modes never come to be; that is stricter than `tarfile.data_filter`, and the same for
zip. A tar is read once, from its first byte to its last.
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
"""Bytes that an archive may unpack to: 256 GiB, ten times COCO's training images."""

MAX_RATIO = 200
"""How many times its own size an archive may unpack to. Annotations in JSON reach 20, a bomb 1000."""

SMALL = 1 << 24
"""Bytes, 16 MiB, that any archive may unpack to, whatever the ratio."""

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

    They are written to a temporary folder in `folder` and move into place at the end, each at once. A file that is
    there with the same content stays as it is; one with another content is replaced.

    Args:
        archive: A .zip, .tar or .tar.gz file, told apart by its content.
        place: Gives the path below `folder` that a member of the archive becomes; None if it is not wanted.
        required: Files, or folders that get files, below `folder`.
        folder: Where the files go. Folders below it may be links of the user's own.
        progress: Called with the bytes of the archive that are done, and its size.

    Returns:
        The files, sorted.

    Raises:
        ObtainError: The archive is missing, damaged, unsafe or a bomb, lacks what is required, or the disk refuses it.
    """
    what = f"the content of {archive.name}"
    with disk_errors(folder, None, what):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{archive.name}.", suffix=".part") as staging:
            try:
                files = _extract(archive, place, required, Path(staging), progress)
            except HarnessError:
                raise
            except Exception as error:  # a reader of damaged or hostile data raises anything
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
    """`file`, `folder`, or what else it is."""
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
                raise _refused(archive, member.name, f"is a second one for {target}") from None
            for _ in _write(archive, member, path):
                progress(source.tell(), size)
            files.append(target)
    if missing := [path for path in required if not any(PurePosixPath(file).is_relative_to(path) for file in files)]:
        raise ObtainError(f"archive {archive} has nothing for {', '.join(missing)}", "it is another one than expected")
    progress(size, size)
    return files


def _unsafe(name: str) -> str | None:
    """Say why a member's name leads out of the folder, on this system or another."""
    windows = PureWindowsPath(name)
    if windows.drive or windows.root:
        return "has an absolute path"
    if ".." in windows.parts:
        return "leads out of the folder"
    return "has a backslash in its path" if "\\" in name else None


def _write(archive: Path, member: _Member, path: Path) -> Iterator[None]:
    """Copy a member, yielding after each piece."""
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
    """A tar as a stream that counts and bounds what is read of it, wanted or not."""

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
    # tarfile takes a tar that is cut between two members for a whole one. A whole one ends in zeros, and a whole gzip
    # in a checksum, which is verified when it is read.
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
