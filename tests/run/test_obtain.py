"""`harness run` with missing files, from a server on loopback."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Harness
from miniature import coco, posetrack18
from miniatures import serve
from PIL import Image
from serving import Page, Server, serving

from harness.cli.progress import TerminalProgress
from harness.predict.networks import build_network
from harness.predict.seeded import seed_weights
from harness.record import Record
from harness.suites.configs import configs_folder, read_config

ROW = "alexnet-256x192"
SEEDED = ("--weights", "random:0", "--limit", 1)
CONFIG = "body_2d_keypoint/topdown_heatmap/coco/td-hm_alexnet_8xb64-210e_coco-256x192.py"
ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"
BOXES = "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
OWN_SUITE = f"""\
schema_version: 1
name: own
title: My models
dataset:
  name: COCO
  num_keypoints: 17
  annotations: {ANNOTATIONS}
  images: coco/val2017
  boxes: {BOXES}
metrics:
  AP: {{label: AP, unit: fraction, decimals: 3}}
rows:
  - id: mine
    label: Mine
    input_size: 256x192
    boxes: detector
    published:
      table: {{AP: 0.500}}
    runs:
      val:
        config: {CONFIG}
        checkpoint: {{url: "URL", sha256: "SHA256"}}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HARNESS_CACHE", "cache")
    monkeypatch.setattr("harness.assets.download.sleep", lambda seconds: None)
    with serving() as server:
        yield server


@pytest.fixture
def with_samples(server: Server, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server with the files of the miniature."""
    serve(server, monkeypatch, {path: (samples / path).read_bytes() for path in sample_files(samples)})
    return server


def sample_files(samples: Path) -> list[str]:
    found = [path for name in ("coco", "posetrack18") for path in (samples / name).rglob("*") if path.is_file()]
    return [path.relative_to(samples).as_posix() for path in found]


def written(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def record(row: str) -> Record:
    return Record.load(Path("runs") / row / "val" / "record.json")


def test_a_run_downloads_what_it_needs(
    harness: Harness, with_samples: Server, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    begin = TerminalProgress.stage

    def stage(progress: TerminalProgress, of: str, name: str, people: int | None = None) -> None:
        stages.append(f"{of}, MB" if name == "MB" else name)
        begin(progress, of, name, people)

    monkeypatch.setattr(TerminalProgress, "stage", stage)
    arguments = ("run", "coco", "--rows", ROW, *SEEDED)
    code, first, _ = harness(*arguments)
    assert code == 0
    assert stages == [
        "prepare",
        "download annotations_trainval2017.zip, MB",
        "unpack annotations_trainval2017.zip, MB",
        f"download {Path(BOXES).name}, MB",
        "download val2017.zip, MB",
        "unpack val2017.zip, MB",
        "predict",
        "score",
    ]
    assert first.splitlines()[0].endswith("partial")
    wanted = {path for path in sample_files(samples) if path.startswith("coco/") and "wholebody" not in path}
    assert below(Path("data")) == wanted
    assert record(f"coco/{ROW}").people == coco.PLAN[0][-1]
    assert {request.path.rpartition("/")[2] for request in with_samples.requests} == {
        "annotations_trainval2017.zip",
        "val2017.zip",
        Path(BOXES).name,
    }

    requests = len(with_samples.requests)
    assert harness(*arguments)[:2] == (0, first)
    assert len(with_samples.requests) == requests


def test_offline_asks_for_nothing(harness: Harness, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, monkeypatch)
    Path("data").mkdir()
    code, out, _ = harness("run", "coco", "--rows", ROW, *SEEDED, "--offline")
    assert code == 3
    assert out.splitlines()[0].endswith("unobtainable")
    assert f"the annotation file is missing: {Path('data', ANNOTATIONS)}" in (record(f"coco/{ROW}").reason or "")
    assert server.requests == []
    assert below(Path("data")) == set()


def test_what_only_a_person_gets_leaves_other_rows_running(harness: Harness, with_samples: Server) -> None:
    code, out, _ = harness("run", "posetrack18", "coco", "--rows", f"posetrack18/resnet-50-256x192,{ROW}", *SEEDED)
    assert code == 3
    assert {line.split()[0]: line.split()[-1] for line in out.splitlines()[:2]} == {
        "posetrack18/resnet-50-256x192": "unobtainable",
        f"coco/{ROW}": "partial",
    }
    reason = record("posetrack18/resnet-50-256x192").reason
    assert reason is not None
    assert "By hand, since posetrack.net is gone" in reason
    assert "4. Verify them with `harness check posetrack18 --data data`." in reason
    assert reason in out


def test_missing_images_leave_the_annotations_alone(harness: Harness, with_samples: Server, samples: Path) -> None:
    """PoseTrack18's annotations are a folder too, and custom ones may have another version."""
    own = {path: (samples / path).read_bytes() + b"\n" for path in sample_files(samples) if "/annotations/" in path}
    written(Path("data"), own | {"posetrack18/images/val/another/000000.jpg": b""})
    code, out, _ = harness("run", "posetrack18", "--rows", "resnet-50-256x192", *SEEDED)
    assert code == 3
    assert "1 of 1 images are missing" in out
    assert f"{Path('data/posetrack18/images/val')} is not complete\n  By hand, since posetrack.net is gone" in out
    assert with_samples.requests == []
    assert all((Path("data") / path).read_bytes() == content for path, content in own.items())


def test_an_empty_folder_is_filled(harness: Harness, with_samples: Server, samples: Path) -> None:
    annotations = "posetrack18/annotations/posetrack18_val.json"
    written(Path("data"), {annotations: (samples / annotations).read_bytes()})
    Path("data/posetrack18/annotations/val").mkdir()
    code, out, _ = harness("run", "posetrack18", "--rows", "resnet-50-256x192", *SEEDED)
    assert code == 3
    assert "1 of 1 images are missing" in out
    wanted = {path for path in sample_files(samples) if path.startswith(("posetrack18/annotations/val/", annotations))}
    assert below(Path("data")) == wanted | {posetrack18.BOXES}


def miniature() -> dict[str, bytes]:
    """Return COCO with a single image of noise and a person in it."""
    image = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)).save(image, "jpeg")
    box = [20, 10, 60, 80]
    points = [[25 + 3 * joint, 15 + 4 * joint, 2] for joint in range(17)]
    person = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": 4800,
        "num_keypoints": 17,
        "keypoints": [number for point in points for number in point],
        "segmentation": [],
    }
    annotations = {
        "images": [{"id": 1, "file_name": "000000000001.jpg", "height": 96, "width": 128}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}],
    }
    boxes = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9}]
    return {
        ANNOTATIONS: json.dumps(annotations).encode(),
        BOXES: json.dumps(boxes).encode(),
        "coco/val2017/000000000001.jpg": image.getvalue(),
    }


def test_the_checkpoint_of_ones_own_suite(harness: Harness, server: Server) -> None:
    config = read_config(configs_folder() / CONFIG)
    network = build_network(config)
    seed_weights(network, config, 0)
    file = io.BytesIO()
    torch.save({"state_dict": network.state_dict()}, file)
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    name = f"mine-{sha256[:8]}_20200101.pth"
    server.pages[f"/{name}"] = Page(file.getvalue())
    Path("own.yaml").write_text(OWN_SUITE.replace("URL", server.url(f"/{name}")).replace("SHA256", sha256[:8]))
    written(Path("data"), miniature())

    code, out, _ = harness("run", "own.yaml", "--limit", 1)
    assert code == 0
    found = record("own/mine")
    assert (found.status, found.reason) == ("partial", "only the first image (--limit)")
    assert found.weights is not None
    assert (found.weights.sha256, found.weights.size) == (sha256, len(file.getvalue()))
    kept = below(Path("cache"))
    digests = {path for path in kept if path.startswith("images/")}  # digests of images' contents, by data folder
    assert len(digests) == 1
    assert kept - digests == {f"checkpoints/{name}", "network_sizes.json"}

    assert harness("run", "own.yaml", "--limit", 1)[:2] == (0, out)
    assert [request.path for request in server.requests] == [f"/{name}"]


def test_a_checkpoint_with_another_hash(harness: Harness, server: Server) -> None:
    name, body = "mine-01234567_20200101.pth", b"weights" * 1000
    server.pages[f"/{name}"] = Page(body)
    Path("own.yaml").write_text(OWN_SUITE.replace("URL", server.url(f"/{name}")).replace("SHA256", "01234567"))
    written(Path("data"), miniature())
    code, out, _ = harness("run", "own.yaml", "--limit", 1)
    assert code == 3
    assert out.splitlines()[0].endswith("unobtainable")
    found = hashlib.sha256(body).hexdigest()[:8]
    assert f"its file has sha256 {found}, but 01234567 is expected" in (record("own/mine").reason or "")
    assert below(Path("cache")) == set()
