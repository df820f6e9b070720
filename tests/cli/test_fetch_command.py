"""`harness fetch` through the command line's entry point, from a server on loopback."""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Harness
from miniatures import expected, serve, serve_suite
from serving import Server, serving

from harness.cli.progress import DownloadProgress
from harness.suites.load import load_suite, published_suites
from harness.suites.sources import load_sources, source_names

POSETRACK = """\
posetrack18: Results on PoseTrack2018 val with ground-truth bounding boxes
  missing        20.5 kB  posetrack18/annotations/posetrack18_val.json
  missing                 posetrack18/annotations/val
                          from http://server/gone/posetrack18_annotations.tar
                          or   http://server/posetrack18/posetrack18_annotations.tar
  incomplete     by hand  posetrack18/images/val  (it is empty)
  there                   hrnet_w48_posetrack18_256x192_20211130.pth
  missing         3.0 kB  http://server/checkpoints/hrnet_w32_posetrack18_256x192_20201028.pth
  missing         2.8 kB  http://server/checkpoints/res50_posetrack18_256x192_20201028.pth

  By hand, since posetrack.net is gone, and its successor gives the frames only to those who sign an agreement: https://github.com/anDoer/PoseTrack21
  1. Fill in the agreement that the page links, send it to posetrack21@googlegroups.com and ask for the video source of PoseTrack18: the 18 parts posetrack18_images.tar.aa to posetrack18_images.tar.ar.
  2. In the folder of the parts, unpack them with `cat posetrack18_images.tar.a? | tar -x -i -f -`; the folders images/train and images/test are not needed.
  3. Move images/val to data/posetrack18/images/val, so that data/posetrack18/images/val/000342_mpii_test/000000.jpg exists.
  4. Verify them with `harness check posetrack18 --data data`.

3 to download: 26.2 kB; 1 by hand; 1 there; data folder data, cache cache
"""  # noqa: E501


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HARNESS_CACHE", "cache")
    monkeypatch.setattr("harness.assets.download.sleep", lambda seconds: None)
    with serving() as server:
        serve(server, monkeypatch)
        yield server


@pytest.fixture
def jhmdb(server: Server, tmp_path: Path) -> Path:
    """Return a suite whose files can all be downloaded."""
    return serve_suite("jhmdb", server, tmp_path)


def plain(text: str, server: Server) -> str:
    """Return an output with the same URL, and the same digits in names of checkpoints, in every test."""
    return re.sub(r"-[0-9a-f]{8}(?=_\d{8}\.pth)", "", text.replace(server.url(""), "http://server"))


def gets(server: Server) -> list[str]:
    return [request.path for request in server.requests if request.method == "GET"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_shows_everything_and_fetches_nothing(harness: Harness, server: Server, tmp_path: Path) -> None:
    suite = serve_suite("posetrack18", server, tmp_path)
    there = Path("cache/checkpoints") / load_suite(suite).rows[0].runs["val"].checkpoint.file_name
    there.parent.mkdir(parents=True)
    there.write_bytes(b"a checkpoint")
    Path("data/posetrack18/images/val").mkdir(parents=True)
    before = files(tmp_path)
    code, out, err = harness("fetch", suite, "--dry-run")
    assert (code, err) == (0, "")
    assert plain(out, server) == POSETRACK
    assert gets(server) == []
    assert files(tmp_path) == before

    code, out, err = harness("fetch", suite, "--dry-run", "--json")
    assert (code, plain(err, server)) == (0, POSETRACK)
    document = json.loads(out)
    assert (document["schema_version"], document["dry_run"], len(document["items"])) == (1, True, 6)
    annotations, _, frames, checkpoint, _, _ = document["items"]
    archive = server.pages["/posetrack18/posetrack18_annotations.tar"].body
    assert annotations == {
        "name": "posetrack18/annotations/posetrack18_val.json",
        "what": "annotations of all sequences, in MMPose's format",
        "path": str(Path("data/posetrack18/annotations/posetrack18_val.json")),
        "state": "missing",
        "remark": None,
        "rendered": None,
        "download": "posetrack18_annotations.tar",
        "urls": [server.url(f"/{folder}/posetrack18_annotations.tar") for folder in ("gone", "posetrack18")],
        "size": len(archive),
        "in_cache": False,
        "instructions": [],
        "failure": None,
    }
    assert (frames["state"], frames["remark"], frames["urls"]) == ("incomplete", "it is empty", [])
    assert frames["instructions"][0].startswith("By hand, since posetrack.net is gone")
    assert (checkpoint["state"], checkpoint["path"]) == ("there", str(there))


def test_what_no_program_gets(harness: Harness, server: Server, tmp_path: Path) -> None:
    suite = serve_suite("posetrack18", server, tmp_path)
    code, out, err = harness("fetch", suite, "--json")
    assert code == 3
    assert err.count("By hand, since posetrack.net is gone") == 1
    assert err.endswith("0 already present, 5 fetched, 1 missing\n")
    failures = {item["name"]: item["failure"] for item in json.loads(out)["items"] if item["failure"]}
    assert list(failures) == ["posetrack18/images/val"]
    assert "is missing\n  By hand, since" in failures["posetrack18/images/val"]

    requests = len(server.requests)
    assert harness("fetch", suite)[0] == 3
    assert len(server.requests) == requests


def test_all_is_fetched_once(harness: Harness, server: Server, jhmdb: Path, tmp_path: Path) -> None:
    code, out, err = harness("fetch", jhmdb)
    assert (code, err) == (0, "")
    assert out.splitlines()[:4] == [
        f"fetched  {Path('data/jhmdb', name)}"
        for name in (*(f"annotations/Sub{n}_test.json" for n in (1, 2, 3)), "Rename_Images")
    ]
    assert out.endswith("0 already present, 10 fetched, 0 missing\n")
    assert files(tmp_path / "data") == expected(load_sources("jhmdb"))
    assert len(files(tmp_path / "cache/checkpoints")) == 6

    requests = len(server.requests)
    assert harness("fetch", jhmdb) == (0, "10 already present, 0 fetched, 0 missing\n", "")
    code, out, _ = harness("fetch", jhmdb, "--dry-run")
    assert out.splitlines()[-1] == "nothing to download; 10 there; data folder data, cache cache"
    assert len(server.requests) == requests

    # Another data folder is filled from the cache, which a dry run reports.
    code, out, _ = harness("fetch", jhmdb, "--dry-run", "--data", "other")
    assert f"  in the cache            jhmdb/Rename_Images\n{'':26}from {Path('cache/archives/jhmdb')}" in out
    assert out.splitlines()[-1] == "nothing to download; 4 in the cache; 6 there; data folder other, cache cache"
    assert harness("fetch", jhmdb, "--data", "other")[0] == 0
    assert files(tmp_path / "other") == expected(load_sources("jhmdb"))
    assert len(server.requests) == requests


def test_an_archive_that_fails_is_tried_once(harness: Harness, server: Server, jhmdb: Path) -> None:
    del server.pages["/jhmdb/jhmdb_annotations.tar"]
    code, out, _ = harness("fetch", jhmdb)
    assert code == 3
    assert gets(server).count("/jhmdb/jhmdb_annotations.tar") == 1
    assert out.count("404 Not Found") == 2
    assert out.endswith("0 already present, 7 fetched, 3 missing\n")


@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize("during", ["download jhmdb_annotations.tar", "unpack jhmdb_annotations.tar", "a checkpoint"])
def test_ctrl_c_and_on_again(
    harness: Harness, server: Server, jhmdb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    path = "/jhmdb/jhmdb_annotations.tar"
    if during == "a checkpoint":
        path = next(path for path in server.pages if path.startswith("/checkpoints/"))
        during = f"download {Path(path).name}"
    server.pages[path].cuts = [1000]

    def interrupt(progress: DownloadProgress, name: str, done: int, total: int | None) -> None:
        if name == during:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(DownloadProgress, "update", interrupt)
        code, _, err = harness("fetch", jhmdb)
    assert (code, err) == (130, "\n")
    whole = expected(load_sources("jhmdb"))
    assert files(tmp_path / "data").items() <= whole.items()
    bodies = {Path(address).name: page.body for address, page in server.pages.items()}
    kept = {Path(name).name: data for name, data in files(tmp_path / "cache").items()}
    assert all(bodies[name] == data for name, data in kept.items() if name in bodies)

    assert harness("fetch", jhmdb)[0] == 0
    assert files(tmp_path / "data") == whole
    assert not [name for name in files(tmp_path / "cache") if Path(name).name.startswith(".")]
    if during.startswith("download"):
        assert [request.range for request in server.requests if request.path == path] == [None, "bytes=1000-"]


def test_all_suites(harness: Harness, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each download counts once, even if several rows share it: the 4 rows of Human-Art have 2 checkpoints."""
    monkeypatch.setattr("harness.assets.download.remote_sizes", lambda urls: dict.fromkeys(urls, 1000))
    code, out, _ = harness("fetch", "--dry-run")
    suites = [load_suite(name) for name in published_suites()]
    able = [row for suite in suites for row in suite.rows if not row.cannot_run]
    checkpoints = {run.checkpoint.url for row in able for run in row.runs.values()}
    named = set(source_names()) - {"demo"}  # the demo's data is rendered
    archives = [download.name for name in named for download in load_sources(name).downloads]
    assert code == 0
    assert all(out.count(text) == 1 for text in [*checkpoints, *(f"{suite.name}: {suite.title}\n" for suite in suites)])
    assert sum(len(suite.rows) for suite in suites) == 390
    assert out.count("By hand, since its authors give it") == 1  # for three items of Human-Art
    downloads = len(checkpoints) + len(archives)
    assert out.splitlines()[-1] == (
        f"{downloads} to download: {downloads}.0 kB; 44 by hand; data folder data, cache cache"
    )


def test_what_suites_share_is_listed_once(harness: Harness, server: Server, jhmdb: Path) -> None:
    own = jhmdb.with_name("own.yaml")
    own.write_text(jhmdb.read_text(encoding="utf-8").replace("name: jhmdb", "name: own", 1), encoding="utf-8")
    _, alone, _ = harness("fetch", jhmdb, "--dry-run")
    _, both, _ = harness("fetch", jhmdb, own, "--dry-run")
    assert "own: Results on Sub-JHMDB dataset\n  all files are listed above\n" in both
    assert both.splitlines()[-1] == alone.splitlines()[-1]


def test_sizes_of_servers_that_are_silent(harness: Harness, server: Server, tmp_path: Path) -> None:
    """Without a network a request takes a long time, so there is only one per server."""
    asked: list[str] = []

    def silent(url: str) -> None:
        asked.append(url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.assets.download._remote_size", silent)
        _, out, _ = harness("fetch", serve_suite("mpii", server, tmp_path), "--dry-run")
    assert len(asked) == 1
    assert "20 to download: 20 of unknown size; data folder data, cache cache" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("cocoa",), "unknown suite: cocoa"), (("coco", "--rows", "resnet50*"), "no row of coco matches resnet50*")],
)
def test_wrong_usage(harness: Harness, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = harness("fetch", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not Path("data").exists()


def test_the_whole_table_beside_a_suite(harness: Harness, server: Server) -> None:
    code, out, _ = harness("fetch", "jhmdb", "--dry-run")
    assert code == 0
    jhmdb, everything = out.splitlines()[-2:]
    assert jhmdb.startswith("8 to download: ")
    assert re.fullmatch(r"for all 390 rows of all tables: 366 to download: .* of unknown size; 44 by hand", everything)


PART = """\
schema_version: 1
name: mine
title: A part of COCO
dataset:
  name: COCO
  num_keypoints: 17
  annotations: coco/annotations/person_keypoints_val2017.json
  images: coco/val2017
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
  - id: net
    label: Net
    input_size: 256x192
    boxes: ground-truth
    runs:
      val:
        config: body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py
        checkpoint: {url: net.pth, sha256: null}
"""


def test_the_images_that_the_annotations_list_are_enough(harness: Harness, samples: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(samples / "coco", data / "coco")
    (tmp_path / "net.pth").write_bytes(b"weights")
    suite = tmp_path / "mine.yaml"
    suite.write_text(PART)
    annotations = data / "coco/annotations/person_keypoints_val2017.json"
    names = [image["file_name"] for image in json.loads(annotations.read_text())["images"]]

    code, out, _ = harness("fetch", suite, "--data", data, "--dry-run")
    assert code == 0
    assert f"coco/val2017  (the {len(names)} images that the annotations list)\n" in out
    assert "nothing to download; 3 there" in out

    (data / "coco/val2017" / names[-1]).unlink()
    _, out, _ = harness("fetch", suite, "--data", data, "--dry-run")
    assert re.search(r"  incomplete .* coco/val2017  \(4 of 5,000 files\)\n", out)
    (data / "coco/val2017" / names[-1]).write_bytes(b"")
    annotations.write_text("{}")
    _, out, _ = harness("fetch", suite, "--data", data, "--dry-run")
    assert "  incomplete " in out
