import errno
import gzip
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.assets import archives as module
from harness.errors import ObtainError

CONTENT = {
    "val2017/000001.jpg": b"\xff\xd8 one" * 5000,
    "val2017/deep/000002.jpg": b"\xff\xd8 two",
    "annotations/person_keypoints_val2017.json": json.dumps({"images": list(range(5000))}).encode(),
    "annotations/unwanted.json": b"{}" * 1000,
}
WANTED = {
    "val2017/*": "coco/val2017",
    "annotations/person_keypoints_val2017.json": "coco/annotations/person_keypoints_val2017.json",
}
UNPACKED = {
    "coco/annotations/person_keypoints_val2017.json": CONTENT["annotations/person_keypoints_val2017.json"],
    "coco/val2017/000001.jpg": CONTENT["val2017/000001.jpg"],
    "coco/val2017/deep/000002.jpg": CONTENT["val2017/deep/000002.jpg"],
}
KINDS = ("zip", "tar", "tar.gz")


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(content: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info in special:
            archive.addfile(info)
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def packed(kind: str, content: dict[str, bytes]) -> bytes:
    if kind == "zip":
        return zipped(content)
    return gzip.compress(tarred(content)) if kind == "tar.gz" else tarred(content)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def quiet(done: int, total: int | None) -> None:
    pass


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(tmp_path: Path, data: bytes, name: str = "archive") -> tuple[Path, Path]:
    """Write an archive; return it with the empty folder to unpack it to, which lies in a folder that is checked too."""
    archive, folder = tmp_path / name, tmp_path / "outside" / "data"
    archive.write_bytes(data)
    folder.mkdir(parents=True)
    return archive, folder


def unpack(
    archive: Path, members: dict[str, str], folder: Path, progress: Callable[[int, int | None], object]
) -> list[Path]:
    """Unpack by patterns: from members to a file, or with wildcards to a folder."""

    def place(name: str) -> str | None:
        for pattern, target in members.items():
            fixed, star, _ = pattern.partition("*")
            if name == pattern:
                return target
            if star and fnmatchcase(name, pattern):
                return str(PurePosixPath(target, name[fixed.rfind("/") + 1 :]))
        return None

    return module.unpack(archive, place, members.values(), folder, progress)


def refused(tmp_path: Path, data: bytes, match: str, members: dict[str, str] | None = None) -> None:
    """Check that an archive is rejected with one message that names it, and that no file of it is left anywhere."""
    archive, folder = write(tmp_path, data)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ObtainError, match=match) as caught:
        unpack(archive, {"*": "."} if members is None else members, folder, quiet)
    assert str(archive) in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_wanted_members_arrive_and_no_others(tmp_path: Path, kind: str) -> None:
    archive, folder = write(tmp_path, packed(kind, CONTENT))
    told: list[tuple[int, int | None]] = []
    found = unpack(archive, WANTED, folder, lambda done, total: told.append((done, total)))
    assert found == [folder / name for name in sorted(UNPACKED)]
    assert files(folder) == UNPACKED
    assert sorted(path.name for path in folder.iterdir()) == ["coco"]
    assert told == sorted(told)
    assert told[-1] == (archive.stat().st_size, archive.stat().st_size)


@pytest.mark.parametrize("kind", KINDS)
def test_names_with_a_leading_dot(tmp_path: Path, kind: str) -> None:
    archive, folder = write(tmp_path, packed(kind, {f"./{name}": data for name, data in CONTENT.items()}))
    unpack(archive, WANTED, folder, quiet)
    assert files(folder) == UNPACKED


def test_a_tar_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, folder = write(tmp_path, gzip.compress(tarred(CONTENT)))
    counts: list[int] = []
    closed = module._Counted.close

    def close(stream: Any) -> None:
        counts.append(stream.count)
        closed(stream)

    monkeypatch.setattr(module._Counted, "close", close)
    unpack(archive, WANTED, folder, quiet)
    assert counts == [len(tarred(CONTENT))]


def test_files_that_are_there(tmp_path: Path) -> None:
    archive, folder = write(tmp_path, zipped(CONTENT))
    same, other, own = (folder / "coco/val2017" / name for name in ("000001.jpg", "deep/000002.jpg", "own.txt"))
    other.parent.mkdir(parents=True)
    same.write_bytes(CONTENT["val2017/000001.jpg"])
    os.utime(same, (1, 1))
    other.write_bytes(b"half a fi")
    own.write_bytes(b"mine")
    unpack(archive, WANTED, folder, quiet)
    assert same.stat().st_mtime == 1
    assert files(folder) == {**UNPACKED, "coco/val2017/own.txt": b"mine"}


def test_a_failure_leaves_what_is_there(tmp_path: Path) -> None:
    archive, folder = write(tmp_path, zipped({**CONTENT, "val2017/../../evil": b"!"}))
    there = folder / "coco/val2017/000001.jpg"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    with pytest.raises(ObtainError, match="leads out"):
        unpack(archive, WANTED, folder, quiet)
    assert files(folder) == {"coco/val2017/000001.jpg": b"mine"}
    assert sorted(path.name for path in folder.iterdir()) == ["coco"]


def test_a_folder_on_another_disk(tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is not another disk here")
    archive, folder = write(tmp_path, zipped(CONTENT))
    with tempfile.TemporaryDirectory(dir=shm) as elsewhere:
        (folder / "coco").symlink_to(elsewhere)
        unpack(archive, WANTED, folder, quiet)
        assert {f"coco/{name}": data for name, data in files(Path(elsewhere)).items()} == UNPACKED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../evil", "leads out"),
        ("val2017/../../evil", "leads out"),
        ("..", "leads out"),
        ("/tmp/evil", "absolute"),
        ("//host/share/evil", "absolute"),
        ("C:/evil", "absolute"),
        ("C:evil", "absolute"),
        ("..\\evil", "leads out"),
        ("\\evil", "absolute"),
        ("a\\evil", "backslash"),
    ],
)
def test_paths_out_of_the_folder(tmp_path: Path, kind: str, name: str, match: str) -> None:
    # The first member is valid and must not stay either. An unsafe member is rejected even if it is not wanted.
    content = {"val2017/000001.jpg": b"good", name: b"evil"}
    refused(tmp_path, packed(kind, content), match, {"val2017/000001.jpg": "good"})


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (special("link", tarfile.SYMTYPE, "../.."), "'link' is a link"),
        (special("link", tarfile.SYMTYPE, "/etc/passwd"), "'link' is a link"),
        (special("link", tarfile.LNKTYPE, "../../archive"), "'link' is a link"),
        (special("pipe", tarfile.FIFOTYPE), "'pipe' is a device"),
        (special("null", tarfile.CHRTYPE), "'null' is a device"),
        (special("sparse", tarfile.GNUTYPE_SPARSE), "'sparse' is a sparse file"),
    ],
)
def test_links_and_devices(tmp_path: Path, member: tarfile.TarInfo, match: str) -> None:
    refused(tmp_path, tarred({"link/evil": b"evil"}, member), match)


def test_link_in_a_zip(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "../..")
        archive.writestr("link/evil", b"evil")
    refused(tmp_path, buffer.getvalue(), "'link' is a link")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bomb(tmp_path: Path, kind: str) -> None:
    data = packed(kind, {"bomb.json": bytes(module.SMALL + 1)})
    assert len(data) * module.MAX_RATIO < module.SMALL, "the ratio is what it is about"
    refused(tmp_path, data, "'bomb.json' makes it unpack to 16,777,217 bytes, more than the 16,777,216 allowed")


def test_bomb_beside_what_is_wanted(tmp_path: Path) -> None:
    """Skipping a member of a tar.gz requires decompressing it."""
    data = packed("tar.gz", {"bomb": bytes(module.SMALL + 1), "wanted": b"1"})
    refused(tmp_path, data, "it unpacks to more than the 16,777,216 bytes allowed", {"wanted": "wanted"})


@pytest.mark.parametrize("kind", KINDS)
def test_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 20_000)
    refused(tmp_path, packed(kind, CONTENT), "more than the 20,000 (bytes )?allowed")


def test_what_compresses_well_is_no_bomb(tmp_path: Path) -> None:
    data = {"annotations.json": b'{"keypoints": [0, 0, 0]}' * 100_000}
    archive, folder = write(tmp_path, zipped(data))
    assert archive.stat().st_size * 100 < len(data["annotations.json"])
    unpack(archive, {"*": "."}, folder, quiet)
    assert files(folder) == data


@pytest.mark.parametrize("declared", [10, 10_000])
def test_a_zip_that_declares_another_size(tmp_path: Path, declared: int) -> None:
    data = bytearray(zipped({"file": b"abcd" * 250}))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = declared.to_bytes(4, "little")
    refused(tmp_path, bytes(data), "declares|CRC")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_for_one_file(tmp_path: Path, kind: str) -> None:
    refused(
        tmp_path,
        packed(kind, {"a/file": b"1", "b/file": b"2"}),
        "'b/file' is a second member",
        {"a/*": ".", "b/*": "."},
    )
    shutil.rmtree(tmp_path / "outside")
    refused(tmp_path, packed(kind, {"file": b"1", "./file": b"2"}), "'./file' is a second member")


@pytest.mark.parametrize("kind", KINDS)
def test_missing_member(tmp_path: Path, kind: str) -> None:
    refused(tmp_path, packed(kind, CONTENT), r"has no files for x\n", {**WANTED, "test2017/*": "x"})


def test_a_target_out_of_the_folder(tmp_path: Path) -> None:
    refused(tmp_path, zipped(CONTENT), "leads out", {"val2017/*": "../elsewhere"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tenth", range(10))
def test_truncated(tmp_path: Path, kind: str, tenth: int) -> None:
    # The last member is not wanted, and a tar ends in padding: neither may hide that the end is missing.
    data = packed(kind, CONTENT)
    end = len(data) if kind != "tar" else 512 * (4 + sum(-(-len(content) // 512) for content in CONTENT.values()))
    refused(tmp_path, data[: end * tenth // 10], "damaged", {"val2017/*": "x"})


def test_tar_cut_between_two_members(tmp_path: Path) -> None:
    first = tarred({"a": b"x" * 512})[:1024]
    refused(tmp_path, first, "ends too early")


def test_tar_cut_in_zeros_that_nobody_wants(tmp_path: Path) -> None:
    data = tarred({"a": b"1", "b": bytes(5000)})[:4096]
    refused(tmp_path, data, "unexpected end of data", {"a": "a"})


def test_a_wrong_checksum_behind_the_last_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 512)
    data = bytearray(packed("tar.gz", {"a": b"1"}))
    data[-8] ^= 1
    refused(tmp_path, bytes(data), "CRC check failed", {"a": "a"})


def test_no_archive(tmp_path: Path) -> None:
    refused(tmp_path, b"<html>Log in</html>", "not a zip")
    with pytest.raises(ObtainError, match="No such file"):
        unpack(tmp_path / "nothing.zip", WANTED, tmp_path / "outside", quiet)


def test_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, folder = write(tmp_path, zipped(CONTENT))
    usage = shutil.disk_usage(tmp_path)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ObtainError, match="30,000 bytes are needed, 999 are free"):
        unpack(archive, WANTED, folder, quiet)
    assert list(folder.iterdir()) == []


def test_full_disk(tmp_path: Path) -> None:
    archive, folder = write(tmp_path, zipped(CONTENT))

    def full(done: int, total: int | None) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ObtainError, match=f"the disk is full in {folder}"):
        unpack(archive, WANTED, folder, full)
    assert list(folder.iterdir()) == []


def test_ctrl_c(tmp_path: Path) -> None:
    archive, folder = write(tmp_path, zipped(CONTENT))

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(archive, WANTED, folder, interrupt)
    assert list(folder.iterdir()) == []


SMALL_ARCHIVES: dict[str, bytes] = {kind: packed(kind, {"a/1": b"one" * 50, "a/2": b"two"}) for kind in KINDS}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3))
def test_damage_of_any_kind_is_one_error_and_no_debris(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(SMALL_ARCHIVES[kind])
    for place, bits in flips:
        data[int(place * len(data))] ^= bits
    with tempfile.TemporaryDirectory() as name:
        archive, folder = write(Path(name), bytes(data))
        try:
            found = unpack(archive, {"a/*": "x"}, folder, quiet)
        except ObtainError:
            assert list(folder.iterdir()) == []
        else:
            assert set(files(folder)) == {path.relative_to(folder).as_posix() for path in found}
            assert sorted(path.name for path in Path(name).iterdir()) == ["archive", "outside"]
