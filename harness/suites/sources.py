"""The sources of the data folder's files, as data: one file of benchmarks/sources/ for each data set.

A data set's file lists the files that the suite of that name reads, the downloads that provide them, the folders that
the project renders itself, and manual steps for files that a program must not or cannot download. It has only published
sizes and hashes.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from harness.errors import UsageError
from harness.suites.load import BENCHMARKS
from harness.suites.schema import DataPath, Slug, SuiteFields
from harness.suites.yaml_file import Location, did_you_mean, load_model

SOURCES = BENCHMARKS / "sources"
"""The folder of the sources."""


def _plain_path(path: str) -> str:
    if path != str(PurePosixPath(path)) or path == "." or ":" in path:
        raise ValueError(f"found {path!r}; it must be a plain path such as coco/val2017, without ./ or a / at its end")
    return path


def _file_name(name: str) -> str:
    if name in ("", ".", "..") or re.search(r"[/\\:]", name):
        raise ValueError(f"found {name!r}; it must be the name of a file, without a folder")
    return name


def _web_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError(f"found {url!r}; it must be an address that begins with http:// or https://")
    return url


def _whole_sha256(digits: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(f"found {digits!r}; it must be the 64 hexadecimal digits of a sha256")
    return digits


PlainPath = Annotated[DataPath, AfterValidator(_plain_path)]
FileName = Annotated[str, AfterValidator(_file_name)]
Url = Annotated[str, AfterValidator(_web_address)]
Sha256 = Annotated[str, AfterValidator(_whole_sha256)]
Text = Annotated[str, Field(min_length=1)]


class Licence(SuiteFields):
    """The terms of use of the data."""

    name: Text
    """Its name, or the known terms."""
    url: Url
    """The address of the terms."""
    by_hand: bool
    """Whether the user must accept them or register to get all of the data; `downloads` need neither."""


class DataEntry(SuiteFields):
    """A file or folder that the data folder must hold."""

    path: PlainPath
    """Relative to the data folder, as in the rows' configs."""
    what: Text
    """A short description."""
    kind: Literal["file", "folder"]
    count: int | None = Field(default=None, gt=0)
    """Number of files in the folder and below it, if known."""
    size: int | None = Field(default=None, gt=0)
    """Bytes of the file, if known."""
    sha256: Sha256 | None = None
    """The file's published sha256; without one, the hash of the first download is expected of later ones."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind == "file" and self.count is not None:
            raise ValueError("`count` is allowed for folders only")
        if self.kind == "folder" and (self.size is not None or self.sha256 is not None):
            raise ValueError("`size` and `sha256` are allowed for files only")
        return self


class Unpack(SuiteFields):
    """The members of an archive that become an entry of the data folder."""

    members: PlainPath
    """A pattern over the archive's paths: `*` matches within a folder's name, `**` any number of folders."""
    to: PlainPath
    """The entry, of `files`: a file, from one member, or a folder for the members.

    In a folder, members keep the part of their path after the last folder before the pattern's first `*`. Several
    patterns for one entry are alternatives, for archives with an unknown layout; one of them must match.
    """


class Download(SuiteFields):
    """A file that can be downloaded with a plain GET request."""

    name: FileName
    """Its name in the cache."""
    urls: list[Url] = Field(min_length=1)
    """Its addresses, in the order of trial."""
    size: int | None = Field(default=None, gt=0)
    """Bytes, if known."""
    sha256: Sha256 | None = None
    """The published sha256; without one, the hash of the first download is expected of later ones."""
    unpack: list[Unpack] = Field(default=[])
    """For an archive: the members to unpack."""
    to: PlainPath | None = None
    """For a plain file: the entry of `files` that it becomes."""

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if bool(self.unpack) == (self.to is not None):
            raise ValueError("write either 'unpack', for an archive, or 'to', for a plain file")
        return self

    @property
    def provides(self) -> list[str]:
        """Paths of the entries that it provides."""
        return [self.to] if self.to is not None else list(dict.fromkeys(part.to for part in self.unpack))


class Rendered(SuiteFields):
    """A folder that the project renders from a seed: `harness.demo`."""

    to: PlainPath
    """The folder, which contains some of `files`."""
    form: Literal["coco", "mpii", "crowdpose"]
    """The data set whose format its files have."""


class ByHand(SuiteFields):
    """The manual steps for entries without a download, or with a failed one."""

    what: Text
    """The obtained data."""
    paths: list[PlainPath] = Field(min_length=1)
    """The entries, of `files`."""
    page: Url
    """The web page to begin with."""
    steps: list[Text] = Field(min_length=1)
    """One sentence each, with exact file names and target folders; `data/` is the data folder."""
    reason: Text
    """The reason why there is no download."""


class Sources(SuiteFields):
    """The sources of a data set's files: one file of benchmarks/sources/."""

    schema_version: Literal[1]
    """Version of this file's schema."""
    name: Slug
    """The name of a suite of the data set, and of this file."""
    title: Text
    """The usual name of the data set."""
    homepage: Url
    licence: Licence
    files: list[DataEntry] = Field(min_length=1)
    """The files that the suite's runs read. A config may name a folder above an entry, such as jhmdb for its images."""
    downloads: list[Download] = Field(default=[])
    rendered: list[Rendered] = Field(default=[])
    by_hand: list[ByHand] = Field(default=[])


@dataclass(frozen=True)
class Source:
    """The source of one entry of the data folder."""

    sources: Sources
    """Its data set."""
    entry: DataEntry
    download: Download | None
    """The download that provides it; None if there is none."""
    rendered: Rendered | None
    """The rendered folder that contains it; None if it is not rendered."""
    by_hand: ByHand | None
    """The manual steps; for an entry with a download, if that fails."""


def source_names() -> list[str]:
    """Return the names of the data sets with known sources; each is a suite's name, and other suites may share it."""
    return sorted(path.stem for path in SOURCES.glob("*.yaml"))


def load_sources(name: str) -> Sources:
    """Load a data set's sources.

    Raises:
        UsageError: There is no data set with that name.
        SpecError: Its file is not valid.
    """
    if name not in source_names():
        known = source_names()
        raise UsageError(f"unknown data set: {name}{did_you_mean(name, known)}", f"data sets: {', '.join(known)}")
    path = SOURCES / f"{name}.yaml"
    return _read(path, path.stat().st_mtime_ns)


@functools.cache
def _read(path: Path, _changed: int) -> Sources:
    """Read a file once, since every path of the data folder is looked up in all of them."""
    return load_model(path, Sources, _part_at, functools.partial(_inconsistencies, path=path))


def sources_of_entries(sources: Sources) -> list[Source]:
    """Return the source of each of a data set's entries, in the order of its file."""
    downloads = {path: download for download in sources.downloads for path in download.provides}
    by_hand = {path: instruction for instruction in sources.by_hand for path in instruction.paths}
    return [
        Source(sources, entry, downloads.get(entry.path), _rendered(sources, entry.path), by_hand.get(entry.path))
        for entry in sources.files
    ]


def _rendered(sources: Sources, path: str) -> Rendered | None:
    return next((part for part in sources.rendered if PurePosixPath(path).is_relative_to(part.to)), None)


def source_of(path: str) -> Source | None:
    """Return the source of a path of the data folder, which is an entry or inside an entry; None if it is unknown.

    Args:
        path: Relative to the data folder.

    Raises:
        SpecError: A file of sources is not valid.
    """
    wanted = PurePosixPath(path)
    for name in source_names():
        for source in sources_of_entries(load_sources(name)):
            if wanted.is_relative_to(source.entry.path) and (
                source.entry.kind == "folder" or wanted == PurePosixPath(source.entry.path)
            ):
                return source
    return None


def sources_of(paths: Sequence[str]) -> list[Source]:
    """Return the sources of files and folders that a run reads, each entry once.

    Args:
        paths: Relative to the data folder, the annotation file first. A folder above entries, such as the folder of
            image names, stands for the folders below it of the data sets of the files before it; the data folder itself
            stands for those of the annotations' data set.

    Raises:
        SpecError: A file of sources is not valid.
    """
    found: dict[str, Source] = {}
    for path in paths:
        source = source_of(path)
        read = list({one.sources.name: one.sources for one in found.values()}.values())
        among = [] if source else read[:1] if path == "." else read
        below = [one for sources in among for one in sources_of_entries(sources)]
        within = [one for one in below if one.entry.kind == "folder" and _is_in(one.entry.path, path)]
        for one in [source] if source else within:
            found.setdefault(one.entry.path, one)
    return list(found.values())


def _is_in(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder) or folder == "."


def target_of(sources: Sources, download: Download, member: str) -> str | None:
    """Return the path in the data folder for a member of a download's archive; None if the member is not wanted.

    Args:
        sources: The data set.
        download: One of its downloads, an archive.
        member: The member's path in the archive.
    """
    member = str(PurePosixPath(member))
    folders = {entry.path for entry in sources.files if entry.kind == "folder"}
    for part in download.unpack:
        if re.fullmatch(_expression(part.members), member):
            if part.to not in folders:
                return part.to
            fixed = part.members.partition("*")[0].rpartition("/")[:2]
            return str(PurePosixPath(part.to, member.removeprefix("".join(fixed))))
    return None


def _expression(pattern: str) -> str:
    parts = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*"}
    return "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*)", pattern))


def _part_at(location: Location) -> type[SuiteFields]:
    """Return the model of the mapping at a location of the file."""
    match location:
        case ("licence",):
            return Licence
        case ("files", _):
            return DataEntry
        case ("downloads", _):
            return Download
        case ("downloads", _, "unpack", _):
            return Unpack
        case ("rendered", _):
            return Rendered
        case ("by_hand", _):
            return ByHand
        case _:
            return Sources


def _inconsistencies(sources: Sources, path: Path) -> Iterator[tuple[Location, str]]:
    if sources.name != path.stem:
        yield ("name",), f"found {sources.name!r}; it must be {path.stem!r}, as in the name of the file"
    entries: dict[str, int] = {}
    for index, entry in enumerate(sources.files):
        if entry.path in entries:
            yield ("files", index, "path"), f"{entry.path!r} is already the path of files[{entries[entry.path]}]"
        entries.setdefault(entry.path, index)

    names: dict[str, int] = {}
    downloaded: dict[str, int] = {}
    for index, download in enumerate(sources.downloads):
        here: Location = ("downloads", index)
        if download.name in names:
            yield (*here, "name"), f"{download.name!r} is already the name of downloads[{names[download.name]}]"
        names.setdefault(download.name, index)
        for target in download.provides:
            if target not in entries:
                yield here, f"{target!r} is not a path of `files`{did_you_mean(target, entries)}"
            elif download.to is not None and sources.files[entries[target]].kind == "folder":
                yield (*here, "to"), f"{target!r} is a folder, but a plain file cannot become a folder"
            if target in downloaded:
                yield here, f"downloads[{downloaded[target]}] already provides {target!r}"
            downloaded.setdefault(target, index)

    for index, part in enumerate(sources.rendered):
        if not any(PurePosixPath(path).is_relative_to(part.to) for path in entries):
            yield ("rendered", index, "to"), f"none of `files` is in {part.to!r}{did_you_mean(part.to, entries)}"

    instructed: dict[str, int] = {}
    for index, instruction in enumerate(sources.by_hand):
        for place, target in enumerate(instruction.paths):
            here = ("by_hand", index, "paths", place)
            if target not in entries:
                yield here, f"{target!r} is not a path of `files`{did_you_mean(target, entries)}"
            if target in instructed:
                yield here, f"by_hand[{instructed[target]}] is already about {target!r}"
            instructed.setdefault(target, index)

    for target, index in entries.items():
        if target not in downloaded and target not in instructed and not _rendered(sources, target):
            yield ("files", index), f"neither a download nor `by_hand` nor `rendered` provides {target!r}"
