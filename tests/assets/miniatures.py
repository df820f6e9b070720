"""Small versions of the files that suites need, on a loopback server that replaces the URLs of benchmarks/."""

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from serving import Page, Server

import harness.suites.sources
from harness.suites.load import BENCHMARKS
from harness.suites.sources import Download, Sources, load_sources, source_names


def content(path: str) -> bytes:
    """Return the content of a file of the data folder."""
    return f"this is {path}".encode() * 50


def expected(sources: Sources) -> dict[str, bytes]:
    """Return the files that a data set's downloads give, by their path in the data folder."""
    return {path: content(path) for download in sources.downloads for path in _members(sources, download).values()}


def serve(server: Server, monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes] | None = None) -> None:
    """Make every data set available from a server.

    Args:
        server: A server of `serving`.
        monkeypatch: Undoes the change after the test.
        contents: Files by path in the data folder, instead of artificial ones.
    """
    served = {name: _served(load_sources(name), server, contents) for name in source_names()}
    monkeypatch.setattr(harness.suites.sources, "load_sources", served.__getitem__)
    monkeypatch.setattr("harness.assets.fetch.load_sources", served.__getitem__)


def serve_suite(name: str, server: Server, folder: Path) -> Path:
    """Write one of the project's suites, with checkpoints on a server, and return its file."""
    text = (BENCHMARKS / f"{name}.yaml").read_text(encoding="utf-8")
    for url, file_name, digits in re.findall(r"url: (\S+/(\S+-([0-9a-f]{8})_\d{8}\.pth))", text):
        sha256 = hashlib.sha256(content(file_name)).hexdigest()[:8]
        path = f"/checkpoints/{file_name.replace(digits, sha256)}"
        server.pages[path] = Page(content(file_name))
        text = text.replace(url, server.url(path)).replace(digits, sha256)
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _served(sources: Sources, server: Server, contents: dict[str, bytes] | None) -> Sources:
    downloads = []
    for download in sources.downloads:
        path = f"/{sources.name}/{quote(download.name)}"
        server.pages[path] = Page(_pack(sources, download, contents))
        missing, found = server.url(f"/gone/{quote(download.name)}"), server.url(path)
        downloads.append(download.model_copy(update={"urls": [missing, found], "size": None, "sha256": None}))
    return sources.model_copy(update={"downloads": downloads})


def _pack(sources: Sources, download: Download, contents: dict[str, bytes] | None) -> bytes:
    if download.to is not None:
        return content(download.to) if contents is None else contents[download.to]
    if contents is None:
        members = {name: content(path) for name, path in _members(sources, download).items()}
    else:
        members = {
            f"{_folder(part.members)}{path.removeprefix(f'{part.to}/')}"
            if path != part.to
            else _one(part.members): data
            for part in {part.to: part for part in download.unpack}.values()  # one of several alternatives
            for path, data in contents.items()
            if path == part.to or path.startswith(f"{part.to}/")
        }
    members["README"] = b"not wanted"
    file = io.BytesIO()
    if download.name.endswith(".zip"):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=file, mode="w:gz" if download.name.endswith("gz") else "w") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _members(sources: Sources, download: Download) -> dict[str, str]:
    """Return an archive's members, two per folder, and the paths in the data folder that they become."""
    kinds = {entry.path: entry.kind for entry in sources.files}
    if download.to is not None:
        return {download.name: download.to}
    members: dict[str, str] = {}
    for part in download.unpack:
        if part.to in {str(Path(path).parent) for path in members.values()}:
            continue  # an alternative for another layout
        if kinds[part.to] == "file":
            members[_one(part.members)] = part.to
        else:
            for number in (1, 2):
                below = (
                    part.members.removeprefix(_folder(part.members))
                    .replace("**", "some/deep")
                    .replace("*", f"{number}")
                )
                members[f"{_folder(part.members)}{below}"] = f"{part.to}/{below}"
    return members


def _one(pattern: str) -> str:
    return pattern.replace("**/", "some/folder/").replace("*", "one")


def _folder(pattern: str) -> str:
    """Return the folder of a pattern before its first wildcard, with a / at its end."""
    before = pattern.partition("*")[0]
    return before[: before.rfind("/") + 1]
