"""The files that runs need: finds them on disk, and downloads or renders those that are missing.

Data sets go into the layout of MMPose's `data/`. Existing files are used: a file with another hash than the published
one is reported and never overwritten. If no hash of a download is published, the cache keeps the hash of the first
download, and later downloads must have the same.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from harness.assets.archives import unpack
from harness.assets.cache import cache_folder
from harness.assets.checkpoint_files import find_checkpoint
from harness.assets.download import download
from harness.assets.render import render
from harness.errors import ObtainError
from harness.files import read_json, sha256_file, write_json
from harness.suites.schema import Checkpoint
from harness.suites.sources import (
    DataEntry,
    Download,
    Source,
    Sources,
    load_sources,
    source_of,
    sources_of_entries,
    target_of,
)

HASHED = 1 << 26
"""Files of up to this many bytes (64 MiB), such as annotations and boxes, are hashed and compared with the published
sha256; that takes less than a second."""

OnFileBytes = Callable[[str, int, int | None], object]
"""Called with the step and its file, the bytes processed, and the bytes of the whole file if known."""


@dataclass(frozen=True)
class Item:
    """A file or folder that runs need."""

    name: str
    """Its path in the data folder, or a checkpoint's file name."""
    what: str
    target: Path
    state: Literal["there", "incomplete", "missing"]
    remark: str
    """How the existing file or folder differs from the published one, or what is missing in it."""
    source: Source | Checkpoint | None
    """None for files of a custom data set."""

    @property
    def folder(self) -> bool:
        """Whether it is a folder of a known data set."""
        return isinstance(self.source, Source) and self.source.entry.kind == "folder"

    @property
    def rendered(self) -> str | None:
        """The rendered folder with this item, relative to the data folder; None if the item is not rendered."""
        return self.source.rendered.to if isinstance(self.source, Source) and self.source.rendered else None

    @property
    def download(self) -> str | None:
        """The file to download for the item, if there is one; several items can come from one archive."""
        if isinstance(self.source, Checkpoint):
            return self.name
        return self.source.download.name if self.source and self.source.download else None

    @property
    def urls(self) -> list[str]:
        """The URLs of the download, in the order of trial."""
        if isinstance(self.source, Checkpoint):
            return [self.source.url]
        return self.source.download.urls if self.source and self.source.download else []

    @property
    def size(self) -> int | None:
        """Bytes of the download, if known."""
        return self.source.download.size if isinstance(self.source, Source) and self.source.download else None

    @property
    def cached(self) -> Path | None:
        """The archive that contains the item, if the cache has it from an earlier download."""
        if not isinstance(self.source, Source) or self.source.download is None or self.source.download.to is not None:
            return None
        path = archive_path(self.source.sources, self.source.download)
        with contextlib.suppress(OSError):  # a cache that cannot be read counts as empty
            if path.is_file() and self.size in (None, path.stat().st_size):
                return path
        return None

    @property
    def instructions(self) -> list[str]:
        """The manual steps to get it, line by line."""
        if not isinstance(self.source, Source):
            return []
        return list(_instructions(self.source, Path(str(self.target).removesuffix(self.name))))


def archive_path(sources: Sources, download: Download) -> Path:
    """Return the path of an archive in the cache, from which other data folders can be filled."""
    return cache_folder() / "archives" / sources.name / download.name


def data_items(paths: Iterable[str], data: Path) -> list[Item]:
    """Return the items that a data folder must hold for some paths that configs name, each item once.

    Args:
        paths: Files and folders relative to the data folder; a folder includes all files below it.
        data: The data folder.
    """
    wanted = list(dict.fromkeys(paths))
    found = {path: source_of(path) for path in wanted}
    names = dict.fromkeys(source.sources.name for source in found.values() if source)
    known = [source for name in names for source in sources_of_entries(load_sources(name))]
    items = [_data_item(source.entry, source, data) for source in known if _concerns(source.entry, wanted)]
    for path in wanted:
        if found[path] is None and not any(PurePosixPath(item.name).is_relative_to(path) for item in items):
            state: Literal["there", "missing"] = "there" if (data / path).exists() else "missing"
            items.append(Item(path, "a file of your own data set", data / path, state, "", None))
    return items


def _concerns(entry: DataEntry, paths: list[str]) -> bool:
    if entry.kind == "file":
        return entry.path in paths
    folder = PurePosixPath(entry.path)
    return any(folder.is_relative_to(path) or PurePosixPath(path).is_relative_to(folder) for path in paths)


def _data_item(entry: DataEntry, source: Source, data: Path) -> Item:
    target, remark = data / entry.path, ""
    state: Literal["there", "incomplete", "missing"] = "there"
    if not target.exists():
        state = "missing"
    elif entry.kind == "folder":
        count = _count_files(target)
        if count < (entry.count or 1):
            state, remark = "incomplete", f"{count:,} of {entry.count:,} files" if entry.count else "it is empty"
    elif entry.size is not None and target.stat().st_size != entry.size:
        remark = f"another file: {target.stat().st_size:,} bytes; the published file has {entry.size:,}"
    elif entry.sha256 and target.stat().st_size <= HASHED and sha256_file(target) != entry.sha256:
        remark = f"another file: its sha256 is {sha256_file(target)[:8]}, the published one is {entry.sha256[:8]}"
        if source.rendered:
            state, remark = "incomplete", "rendered by another release of this project"
    return Item(entry.path, entry.what, target, state, remark, source)


def checkpoint_item(checkpoint: Checkpoint, folder: Path) -> Item:
    """Return a checkpoint as an item; its file is looked for in a folder and below it."""
    try:
        target = find_checkpoint(folder, checkpoint)
    except ObtainError:
        if checkpoint.local:
            raise
        target = folder / checkpoint.file_name
    state: Literal["there", "missing"] = "there" if os.path.isfile(target) else "missing"  # noqa: PTH113 (raises nothing)
    return Item(checkpoint.file_name, "checkpoint", target, state, "", checkpoint)


def obtain(item: Item, data: Path, progress: OnFileBytes) -> None:
    """Download an item and unpack it, or render it.

    Raises:
        ObtainError: It must be obtained by hand, or the download fails; the message has the manual steps.
    """
    if isinstance(item.source, Checkpoint):
        checkpoint = item.source
        download(
            [checkpoint.url],
            item.target,
            size=None,
            what="the checkpoint",
            sha256=None if checkpoint.hash_is_stale else checkpoint.sha256,
            progress=partial(progress, f"download {item.name}"),
        )
    elif item.rendered:
        assert isinstance(item.source, Source)
        render(item.source, data, partial(progress, f"render {item.rendered}"))
    elif item.source is None:
        raise ObtainError(f"{item.name} is missing: {item.target}", "put it there, or name another folder with --data")
    elif item.source.download is None:
        lacks = "is missing" if item.state == "missing" else "is not complete"
        raise ObtainError(
            f"{item.what} of {item.source.sources.title}: {item.target} {lacks}{_steps(item.source, data)}"
        )
    else:
        try:
            _obtain_data(item.source, data, progress)
        except ObtainError as error:
            raise ObtainError(f"{error}{_steps(item.source, data)}") from error


def _obtain_data(source: Source, data: Path, progress: OnFileBytes) -> None:
    wanted = source.download
    assert wanted is not None
    plain = wanted.to is not None
    target = data / (wanted.to or "") if plain else archive_path(source.sources, wanted)
    learnt = cache_folder() / "learnt" / source.sources.name / f"{wanted.name}.json"
    known: dict[str, Any] = {"size": wanted.size, "sha256": wanted.sha256}
    noted = wanted.sha256 is None and learnt.is_file()
    if noted:
        note = read_json(learnt, "the hash of a download", "delete it")
        known = {name: note.get(name) if isinstance(note, dict) else None for name in known}
    try:
        found = download(
            wanted.urls,
            target,
            **known,
            what=f"{source.entry.what if plain else 'an archive'} of {source.sources.title}",
            progress=partial(progress, f"download {wanted.name}"),
        )
    except ObtainError as error:
        if not noted:
            raise
        hint = f"its expected hash is that of the first download; if the publisher changed the file, delete {learnt}"
        raise ObtainError(f"{error}\n  {hint}") from error
    if wanted.sha256 is None and found.url is not None:
        write_json(learnt, {"schema_version": 1, "url": found.url, "size": found.size, "sha256": found.sha256})
    if not plain:
        # Other missing entries of the archive are unpacked too; existing files stay.
        absent = [
            entry.path
            for entry in source.sources.files
            if entry.path in wanted.provides
            and (entry == source.entry or _data_item(entry, source, data).state != "there")
        ]
        required = [path for path in absent if not (data / path).is_file() and not _count_files(data / path)]
        place = partial(_target, source, absent, data)
        unpack(target, place, required, data, partial(progress, f"unpack {wanted.name}"))


def _target(source: Source, absent: list[str], data: Path, member: str) -> str | None:
    """Return the path of an archive's member in the data folder; None if it is not wanted or exists."""
    assert source.download is not None
    target = target_of(source.sources, source.download, member)
    if target is None or (data / target).exists():
        return None
    return target if any(PurePosixPath(target).is_relative_to(path) for path in absent) else None


def _count_files(folder: Path) -> int:
    """Return the number of files below a folder, including those in linked folders."""
    return sum(len(files) for _, _, files in os.walk(folder, followlinks=True))


def _steps(source: Source, data: Path) -> str:
    """Return the manual steps to get an entry, as lines of an error message."""
    return "".join(f"\n  {line}" for line in _instructions(source, data))


def _instructions(source: Source, data: Path) -> Iterator[str]:
    """Yield the manual steps to get an entry, line by line, with the data folder's path for `data` of the sources."""
    by_hand = source.by_hand
    if by_hand is None:
        return
    yield f"By hand, since {by_hand.reason}: {by_hand.page}"
    for number, step in enumerate(by_hand.steps, 1):
        yield f"{number}. {re.sub(r'(?<![^ `])data(?=[/`])', lambda _: str(data), step)}"
