"""Fetches every data set and a checkpoint from a server on loopback."""

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniatures import content, expected, serve
from serving import Page, Server, serving

from harness.assets.fetch import Item, checkpoint_item, data_items, obtain
from harness.errors import ObtainError
from harness.suites.configs import load_config
from harness.suites.ledger import data_paths
from harness.suites.load import load_suite
from harness.suites.schema import Checkpoint
from harness.suites.sources import load_sources, source_names

BODY = b"weights" * 1000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.assets.download.sleep", lambda seconds: None)
    with serving() as server:
        yield server


def quiet(name: str, done: int, total: int | None) -> None:
    """Show nothing."""


@functools.cache
def paths_of(suite_name: str) -> list[str]:
    suite = load_suite(suite_name)
    runs = [(row, run) for row in suite.rows for run in row.runs.values()]
    return [path for row, run in runs for path in data_paths(load_config(suite, row, run))]


def items_of(suite_name: str, data: Path) -> list[Item]:
    return data_items(paths_of(suite_name), data)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", sorted(set(source_names()) - {"demo"}))
def test_every_data_set(name: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, monkeypatch)
    data = tmp_path / "data"
    sources = load_sources(name)
    asked = {}
    # The paths that the runs name, except those of another data set and of rows that cannot be run.
    alone = name not in ("body8", "coco-wholebody", "ubody")
    paths = paths_of(name) if alone else [entry.path for entry in sources.files]
    for item in data_items(paths, data):
        assert item.state == "missing"
        if item.urls:
            obtain(item, data, quiet)
        else:
            with pytest.raises(ObtainError) as caught:
                obtain(item, data, quiet)
            asked[item.name] = str(caught.value)
    assert files(data) == expected(sources)

    # Files that no program may download are described: the page, and every step.
    by_hand = {path: hand for hand in sources.by_hand for path in hand.paths if f"{data / path}" not in files(data)}
    for path, message in asked.items():
        assert f"{data / path} is missing" in message
        assert by_hand[path].page in message
        assert all(step in message.replace(str(data), "data") for step in by_hand[path].steps)
    assert sorted([*asked, *(path for d in sources.downloads for path in d.provides)]) == sorted(
        entry.path for entry in sources.files
    )

    # Existing files are not requested again, and stay unchanged.
    requests = len(server.requests)
    for item in data_items(paths, data):
        if item.state == "there" and item.urls:
            obtain(item, data, quiet)
    assert len(server.requests) == requests
    assert {item.name for item in data_items(paths, data) if item.state == "missing"} == set(asked)


def test_an_archive_fills_only_what_is_missing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, monkeypatch)
    data = tmp_path / "data"
    own = data / "jhmdb/annotations/Sub2_test.json"
    own.parent.mkdir(parents=True)
    own.write_text("my own")
    items = {item.name: item for item in items_of("jhmdb", data)}
    assert items["jhmdb/annotations/Sub2_test.json"].state == "there"
    obtain(items["jhmdb/annotations/Sub1_test.json"], data, quiet)
    assert own.read_text() == "my own"
    assert (data / "jhmdb/annotations/Sub3_test.json").read_bytes() == content("jhmdb/annotations/Sub3_test.json")


def test_files_of_ones_own_in_an_incomplete_folder_stay(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, monkeypatch)
    data, elsewhere = tmp_path / "data", tmp_path / "mine.jpg"
    elsewhere.write_bytes(b"mine")
    folder = data / "coco/val2017"
    folder.mkdir(parents=True)
    try:
        (folder / "1.jpg").symlink_to(elsewhere)
    except OSError:
        pytest.skip("this user cannot create symbolic links, the default on Windows")
    (item,) = (item for item in items_of("coco", data) if item.name == "coco/val2017")
    assert item.state == "incomplete"
    obtain(item, data, quiet)
    assert (folder / "1.jpg").is_symlink()
    assert elsewhere.read_bytes() == b"mine"
    assert (folder / "2.jpg").read_bytes() == content("coco/val2017/2.jpg")


def test_a_hash_that_nobody_published_is_learnt(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, monkeypatch)
    (item,) = (item for item in items_of("crowdpose", tmp_path / "one") if item.name == "crowdpose/images")
    obtain(item, tmp_path / "one", quiet)
    archive = tmp_path / "cache/archives/crowdpose/crowdpose_images.zip"
    learnt = json.loads((tmp_path / "cache/learnt/crowdpose/crowdpose_images.zip.json").read_text())
    assert learnt["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert learnt["size"] == archive.stat().st_size

    archive.unlink()
    page = server.pages["/crowdpose/crowdpose_images.zip"]
    page.body = bytes(len(page.body))
    with pytest.raises(ObtainError, match=f"but {learnt['sha256']} is expected") as caught:
        obtain(item, tmp_path / "two", quiet)
    assert "that of the first download; if the publisher changed the file, delete" in str(caught.value)
    assert not (tmp_path / "two").exists()


def test_another_data_folder_is_filled_from_the_cache(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, monkeypatch)
    (item,) = (item for item in items_of("coco", tmp_path / "one") if item.name == "coco/val2017")
    obtain(item, tmp_path / "one", quiet)
    requests = len(server.requests)
    obtain(item, tmp_path / "two", quiet)
    assert len(server.requests) == requests
    assert files(tmp_path / "two") == files(tmp_path / "one") != {}


def test_a_file_that_is_not_the_published_one_is_told_and_left(tmp_path: Path) -> None:
    path = tmp_path / "coco/annotations/person_keypoints_val2017.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    (tmp_path / "coco/val2017").mkdir()
    remarks = {item.name: (item.state, item.remark) for item in items_of("coco", tmp_path)}
    assert remarks["coco/annotations/person_keypoints_val2017.json"] == (
        "there",
        "another file: 2 bytes; the published file has 10,020,657",
    )
    assert remarks["coco/val2017"] == ("incomplete", "0 of 5,000 files")
    path.write_bytes(b" " * 10020657)
    remarks = {item.name: (item.state, item.remark) for item in items_of("coco", tmp_path)}
    sha256 = hashlib.sha256(b" " * 10020657).hexdigest()
    assert remarks["coco/annotations/person_keypoints_val2017.json"] == (
        "there",
        f"another file: its sha256 is {sha256[:8]}, the published one is 788e2dae",
    )


def test_a_failed_download_tells_how_to_do_it_by_hand(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, monkeypatch)
    server.pages.clear()
    boxes = "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    (item,) = (item for item in items_of("coco", tmp_path / "data") if item.name == boxes)
    with pytest.raises(ObtainError) as caught:
        obtain(item, tmp_path / "data", quiet)
    assert str(caught.value).count("404 Not Found") == 2
    assert "By hand, since they are on a personal drive" in str(caught.value)
    assert "1. Open the page in a browser" in str(caught.value)
    assert files(tmp_path) == {}


def serve_checkpoint(server: Server, sha256: str, **fields: str) -> Checkpoint:
    path = f"/net-{sha256}_20200101.pth"
    server.pages[path] = Page(BODY)
    return Checkpoint.model_validate({"url": server.url(path), "sha256": sha256, **fields})


def test_checkpoint(server: Server, tmp_path: Path) -> None:
    digits = hashlib.sha256(BODY).hexdigest()[:8]
    checkpoint = serve_checkpoint(server, digits)
    item = checkpoint_item(checkpoint, tmp_path)
    assert (item.state, item.download, item.urls) == ("missing", f"net-{digits}_20200101.pth", [checkpoint.url])
    obtain(item, tmp_path / "data", quiet)
    assert files(tmp_path) == {f"net-{digits}_20200101.pth": BODY}
    assert checkpoint_item(checkpoint, tmp_path).state == "there"


def test_a_checkpoint_with_another_hash(server: Server, tmp_path: Path) -> None:
    """It is rejected; files that were republished under their old names only give a warning, later."""
    with pytest.raises(ObtainError, match="but 12345678 is expected"):
        obtain(checkpoint_item(serve_checkpoint(server, "12345678"), tmp_path), tmp_path, quiet)
    assert files(tmp_path) == {}
    stale = serve_checkpoint(server, "12345678", hash_is_stale="it was republished")
    obtain(checkpoint_item(stale, tmp_path), tmp_path, quiet)
    assert files(tmp_path) == {"net-12345678_20200101.pth": BODY}


def test_a_data_set_of_ones_own(tmp_path: Path) -> None:
    (item,) = data_items(["mine/annotations.json"], tmp_path)
    with pytest.raises(ObtainError, match=r"mine.annotations\.json is missing"):
        obtain(item, tmp_path, quiet)
