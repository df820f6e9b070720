"""Sources: every file that a run reads has one, and messages about invalid files name the place."""

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from harness.errors import SpecError, UsageError
from harness.protocol import Compute, DataFile
from harness.suites import sources
from harness.suites.configs import load_config
from harness.suites.ledger import image_folders, read_protocol
from harness.suites.load import load_suite, published_suites, suite_names
from harness.suites.sources import Source, Unpack, load_sources, source_names, source_of, sources_of, target_of

MINE = """\
schema_version: 1
name: mine
title: My data
homepage: https://example.org
licence: {name: MIT, url: https://example.org/licence, by_hand: false}
files:
  - path: mine/val.json
    what: annotations
    kind: file
  - path: mine/images
    what: images
    kind: folder
    count: 3
downloads:
  - name: mine.zip
    urls: [https://example.org/mine.zip, http://example.net/mine.zip]
    size: 17
    unpack:
      - members: "**/val.json"
        to: mine/val.json
by_hand:
  - what: the images
    paths: [mine/images]
    page: https://example.org/form
    steps: [Fill in the form., Unpack images.zip into data/mine/.]
    reason: a registration
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "SOURCES", tmp_path)
    return tmp_path


def error_of(folder: Path, text: str) -> str:
    (folder / "mine.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_sources("mine")
    return str(caught.value)


# The project's own


Reads = tuple[str, list[str], list[str]]


@pytest.fixture(scope="module")
def runs() -> list[Reads]:
    """Return, for every run, its suite, the files that it reads, and the folders that its images are relative to."""
    compute = Compute(engine="shared", batch_size=1, device="cpu")
    found: list[Reads] = []
    for name in suite_names():
        suite = load_suite(name)
        for row in suite.rows:
            for run in row.runs.values() if not row.cannot_run else ():
                files: list[str] = []

                def read(path: str, _: str, files: list[str] = files) -> DataFile:
                    files.append(path)
                    return DataFile(path=path, sha256="")

                config = load_config(suite, row, run)
                read_protocol(config, read, None, compute)
                found.append((name, files, image_folders(config)))
    return found


def test_sources_have_the_name_of_a_suite() -> None:
    assert set(source_names()) <= set(suite_names())
    for name in source_names():
        assert load_sources(name).name == name


def test_suites_of_the_same_data_share_sources(runs: list[Reads]) -> None:
    sources = {(name, found.sources.name) for name, files, _ in runs if (found := source_of(files[0]))}
    shared = {suite for suite, name in sources if name != suite}
    pages = {f"{name}-pages" for name in ("coco", "crowdpose", "humanart", "jhmdb", "mpii", "posetrack18")}
    others = {name for name in published_suites() if name.endswith(("-rtmpose", "-simcc", "-regression", "-integral"))}
    assert shared == pages | others | {"body8", "halpe26", "coco-wholebody-face", "coco-wholebody-hand"}


def test_all_417_runs_find_their_files(runs: list[Reads]) -> None:
    """All files except images by their exact paths; images in a folder at or below the config's folder."""
    assert len([name for name, _, _ in runs if name in published_suites()]) == 417
    for name, files, images in runs:
        found = sources_of([*files, *images])
        assert set(files) <= {source.entry.path for source in found}, name
        folders = [source.entry.path for source in found if source.entry.path not in files]
        for folder in images:
            assert any(PurePosixPath(path).is_relative_to(folder) for path in folders), f"{name}: {folder}"


def test_nothing_is_listed_that_no_run_reads(runs: list[Reads]) -> None:
    read = {path for _, files, _ in runs for path in files}
    for name in set(source_names()) - {"ubody"}:  # its rows cannot be run
        unread = [entry for entry in load_sources(name).files if entry.path not in read]
        assert {entry.kind for entry in unread} <= {"folder"}, name  # the images
        assert len(unread) == {"demo": 3, "coco-wholebody": 0}.get(name, 1)


def test_entries_of_all_data_sets_are_apart() -> None:
    entries = [PurePosixPath(entry.path) for name in source_names() for entry in load_sources(name).files]
    assert [
        (one, other) for one in entries for other in entries if one is not other and one.is_relative_to(other)
    ] == []


@pytest.mark.parametrize(
    ("data_set", "archive", "member", "expected"),
    [
        ("coco", "val2017.zip", "val2017/000000000139.jpg", "coco/val2017/000000000139.jpg"),
        ("coco", "val2017.zip", "val2017/more/000000000139.jpg", None),
        ("coco", "val2017.zip", "val2017/", None),
        ("coco", "annotations_trainval2017.zip", "annotations/person_keypoints_train2017.json", None),
        ("mpii", "mpii_annotations.tar", "mpii_val.json", "mpii/annotations/mpii_val.json"),
        ("mpii", "mpii_annotations.tar", "./a/b/mpii_val.json", "mpii/annotations/mpii_val.json"),
        ("mpii", "mpii_annotations.tar", "a/._mpii_val.json", None),
        ("mpii", "mpii_annotations.tar", "mpii_valxjson", None),
        ("jhmdb", "jhmdb_Rename_Images.tar.gz", "Rename_Images/catch/a@b/1.png", "jhmdb/Rename_Images/catch/a@b/1.png"),
        ("posetrack18", "posetrack18_annotations.tar", "val/1.json", "posetrack18/annotations/val/1.json"),
        ("posetrack18", "posetrack18_annotations.tar", "annotations/val/1.json", "posetrack18/annotations/val/1.json"),
        ("posetrack18", "posetrack18_annotations.tar", "annotations/train/1.json", None),
    ],
)
def test_member_of_an_archive_becomes(data_set: str, archive: str, member: str, expected: str | None) -> None:
    loaded = load_sources(data_set)
    (download,) = [download for download in loaded.downloads if download.name == archive]
    assert target_of(loaded, download, member) == expected


def test_members_of_every_archive_stay_in_their_entry() -> None:
    """A member that matches a pattern becomes the entry, or lies in it if the entry is a folder."""
    for loaded in map(load_sources, source_names()):
        kinds = {entry.path: entry.kind for entry in loaded.files}
        for download in loaded.downloads:
            for part in download.unpack:
                member = part.members.replace("**/", "some/folder/").replace("*", "name")
                expected = part.to if kinds[part.to] == "file" else f"{part.to}/{member.removeprefix(fixed(part))}"
                assert target_of(loaded, download, member) == expected
                if kinds[part.to] == "file":
                    assert PurePosixPath(part.members).name == PurePosixPath(part.to).name


def fixed(part: Unpack) -> str:
    """Return the folders at the beginning of a folder's pattern; the last one has the entry's name."""
    folders = str(PurePosixPath(part.members.split("*")[0]))
    assert PurePosixPath(folders).name == PurePosixPath(part.to).name
    return f"{folders}/"


def test_layout_is_found(each_samples: Path) -> None:
    """Every file of a small data folder belongs to its data set, as annotations, boxes or images."""
    for path in sorted(each_samples.rglob("*.*")):
        name = path.relative_to(each_samples).as_posix()
        # Frames in folders that MMPose's sample has shortened.
        shortened = name.startswith("jhmdb/") and path.suffix == ".png" and "Rename_Images" not in name
        if not path.is_file() or shortened or name.startswith("LaPa/"):  # no suite evaluates LaPa
            continue
        source = source_of(name)
        assert source is not None, name
        data_set = "coco-wholebody" if "wholebody" in name else name.split("/")[0].lower()
        assert source.sources.name == data_set
        assert (source.entry.kind == "folder") == (path.suffix in (".jpg", ".png") or "annotations/val/" in name)


# Where a path comes from


def described(source: Source | None) -> tuple[str, str | None, str | None] | None:
    if source is None:
        return None
    return (
        source.entry.path,
        source.download.name if source.download else None,
        source.by_hand.page if source.by_hand else None,
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("mine/val.json", ("mine/val.json", "mine.zip", None)),
        ("mine/images", ("mine/images", None, "https://example.org/form")),
        ("mine/images/a/1.jpg", ("mine/images", None, "https://example.org/form")),
        ("mine/val.json/1.jpg", None),
        ("mine/images2/1.jpg", None),
        ("mine", None),
    ],
)
def test_source_of_a_path(folder: Path, path: str, expected: object) -> None:
    (folder / "mine.yaml").write_text(MINE)
    assert described(source_of(path)) == expected


def test_archive_provides_each_entry_once(folder: Path) -> None:
    alternative = '        to: mine/val.json\n      - {members: "old/val.json", to: mine/val.json}\n'
    (folder / "mine.yaml").write_text(MINE.replace("        to: mine/val.json\n", alternative))
    (download,) = load_sources("mine").downloads
    assert download.provides == ["mine/val.json"]
    assert [part.members for part in download.unpack] == ["**/val.json", "old/val.json"]


def test_unknown_data_set_lists_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        load_sources("cocoo")
    assert str(caught.value) == (
        f"unknown data set: cocoo (did you mean coco?)\n  data sets: {', '.join(source_names())}"
    )


# Mistakes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "    size: 17",
            "    sise: 17",
            "mine.yaml:17: downloads[0].sise: unknown key (did you mean size?);"
            " allowed: name, urls, size, sha256, unpack, to",
            id="unknown key",
        ),
        pytest.param(
            "by_hand: false}",
            "hand: false}",
            "mine.yaml:5: licence: the key 'by_hand' is missing\n"
            "mine.yaml:5: licence.hand: unknown key (did you mean by_hand?); allowed: name, url, by_hand",
            id="unknown key of the licence",
        ),
        pytest.param(
            "page: https://example.org/form",
            "page: ftp://example.org/form",
            "mine.yaml:24: by_hand[0].page: found 'ftp://example.org/form';"
            " it must be an address that begins with http:// or https://",
            id="page that is not of the web",
        ),
        pytest.param(
            "http://example.net/mine.zip",
            "file:///mine.zip",
            "mine.yaml:16: downloads[0].urls[1]: found 'file:///mine.zip';"
            " it must be an address that begins with http:// or https://",
            id="mirror that is not of the web",
        ),
        pytest.param(
            "path: mine/images",
            "path: mine/../../images",
            "mine.yaml:10: files[1].path: found 'mine/../../images';"
            " it must be a path under the data folder, e.g. coco/annotations/val.json",
            id="path out of the data folder",
        ),
        pytest.param(
            "to: mine/val.json",
            "to: /etc/val.json",
            "mine.yaml:20: downloads[0].unpack[0].to: found '/etc/val.json';"
            " it must be a path under the data folder, e.g. coco/annotations/val.json",
            id="absolute path",
        ),
        pytest.param(
            "to: mine/val.json",
            "to: C:/val.json",
            "mine.yaml:20: downloads[0].unpack[0].to: found 'C:/val.json';"
            " it must be a plain path such as coco/val2017, without ./ or a / at its end",
            id="path with a drive",
        ),
        pytest.param(
            "path: mine/images",
            "path: mine/images/",
            "mine.yaml:10: files[1].path: found 'mine/images/';"
            " it must be a plain path such as coco/val2017, without ./ or a / at its end",
            id="slash at the end",
        ),
        pytest.param(
            "name: mine.zip",
            "name: ../mine.zip",
            "mine.yaml:15: downloads[0].name: found '../mine.zip'; it must be the name of a file, without a folder",
            id="name with a folder",
        ),
        pytest.param(
            "    size: 17",
            '    sha256: "0123abcd"',
            "mine.yaml:17: downloads[0].sha256: found '0123abcd'; it must be the 64 hexadecimal digits of a sha256",
            id="part of a hash",
        ),
        pytest.param(
            "    size: 17",
            '    size: "17"',
            "mine.yaml:17: downloads[0].size: found '17', a text; it must be a number, without quotes",
            id="number as text",
        ),
        pytest.param(
            "path: mine/images",
            "path: mine/val.json",
            "mine.yaml:10: files[1].path: 'mine/val.json' is already the path of files[0]\n"
            "mine.yaml:23: by_hand[0].paths[0]: 'mine/images' is not a path of `files`",
            id="path given twice",
        ),
        pytest.param(
            "paths: [mine/images]",
            "paths: [mine/val.json]",
            "mine.yaml:10: files[1]: neither a download nor `by_hand` nor `rendered` provides 'mine/images'",
            id="nothing provides a file",
        ),
        pytest.param(
            "by_hand:\n",
            "rendered:\n  - {to: mine/imagez, form: coco}\nby_hand:\n",
            "mine.yaml:22: rendered[0].to: none of `files` is in 'mine/imagez' (did you mean mine/images?)",
            id="a rendering of nothing",
        ),
        pytest.param(
            "paths: [mine/images]",
            "paths: [mine/images, mine/images]",
            "mine.yaml:23: by_hand[0].paths[1]: by_hand[0] is already about 'mine/images'",
            id="two instructions",
        ),
        pytest.param(
            "by_hand:\n",
            "  - {name: mine.zip, urls: [https://example.org/2.zip], to: mine/val.json}\nby_hand:\n",
            "mine.yaml:21: downloads[1]: downloads[0] already provides 'mine/val.json'\n"
            "mine.yaml:21: downloads[1].name: 'mine.zip' is already the name of downloads[0]",
            id="two downloads",
        ),
        pytest.param(
            "by_hand:\n",
            "  - {name: 2.zip, urls: [https://example.org/2.zip], to: mine/images}\nby_hand:\n",
            "mine.yaml:21: downloads[1].to: 'mine/images' is a folder, but a plain file cannot become a folder",
            id="file that becomes a folder",
        ),
        pytest.param(
            "    size: 17\n",
            "    size: 17\n    to: mine/val.json\n",
            "mine.yaml:15: downloads[0]: write either 'unpack', for an archive, or 'to', for a plain file",
            id="archive and file",
        ),
        pytest.param(
            "    kind: file\n",
            "    kind: file\n    count: 1\n",
            "mine.yaml:7: files[0]: `count` is allowed for folders only",
            id="count of a file",
        ),
        pytest.param(
            "name: mine\n",
            "name: yours\n",
            "mine.yaml:2: name: found 'yours'; it must be 'mine', as in the name of the file",
            id="name of another data set",
        ),
        pytest.param(
            "title: My data\n",
            "title: My data\ntitle: Mine\n",
            "mine.yaml:4: the key 'title' is given twice, first in line 3",
            id="repeated key",
        ),
    ],
)
def test_mistake_is_named_with_its_place(folder: Path, old: str, new: str, expected: str) -> None:
    assert MINE.count(old) == 1
    assert error_of(folder, MINE.replace(old, new)) == expected


def test_neither_torch_nor_mmengine_is_imported() -> None:
    program = (
        "import sys; from harness.suites.sources import source_of; source_of('coco/val2017');"
        "print({'torch', 'mmpose', 'mmengine'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
