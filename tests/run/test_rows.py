"""`harness run` and `harness score` through the command line's entry point, on the miniature."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Harness
from miniature import coco

from harness.files import sha256_file
from harness.metrics.box_ap import person_ap
from harness.openmmlab import xtcocotools_ext
from harness.predict.networks import build_network
from harness.predict.seeded import seed_weights
from harness.predict.upstream_conditions import moved_by_packages
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import Record
from harness.suites.configs import configs_folder, read_config

ROW = "alexnet-256x192"
ANNOTATIONS, BOXES = coco.ANNOTATIONS, coco.BOXES
FIRST, ALL = coco.PLAN[0][-1], sum(count for *_, count in coco.PLAN)
"""Number of boxes in the first image and in all."""
IMAGE = f"{coco.PLAN[0][0]:012}.jpg"
FILES = {
    "spec.json",
    "protocol.json",
    "environment.json",
    "estimation.json",
    "predictions.parquet",
    "record.json",
    "diagnosis.json",
    "log.txt",
}


@pytest.fixture
def data(samples: Path, tmp_path: Path) -> Path:
    """Return a copy of COCO's miniature that a test may damage."""
    shutil.copytree(samples / "coco", tmp_path / "data" / "coco", copy_function=shutil.copyfile)
    return tmp_path / "data"


def test_a_partial_run_and_its_folder(harness: Harness, data: Path) -> None:
    code, out, err = harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1)
    assert code == 0
    assert err == ""
    assert out.splitlines()[0].startswith("coco/alexnet-256x192   AP 0.448 -> ")
    assert out.splitlines()[0].endswith("partial")
    assert "only the first image (--limit); seeded weights instead of the checkpoint (--weights random:0)" in out
    folder = Path("runs/coco") / ROW / "val"
    assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES - {"predictions.parquet", "log.txt"}:
        assert json.loads((folder / name).read_text())["schema_version"] == 1
    record = Record.load(folder / "record.json")
    assert (record.status, record.verdict, record.images, record.people) == ("partial", "partial", 1, FIRST)
    assert record.upstream_metrics is None
    assert len(Predictions.load(folder / "predictions.parquet")) == FIRST
    protocol = json.loads((folder / "protocol.json").read_text())
    assert protocol["crop"] == {"input_size": [192, 256], "padding": 1.25, "affine": "plain"}
    assert protocol["decoder"]["heatmap_size"] == [40, 56]
    assert protocol["boxes"]["file"]["path"] == BOXES
    assert protocol["limit"] == 1


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_rerun_does_only_what_is_missing(harness: Harness, data: Path) -> None:
    arguments = ("run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1)
    folder = Path("runs/coco") / ROW / "val"
    _, first, _ = harness(*arguments)
    before = times(folder)
    _, again, _ = harness(*arguments)
    assert again == first
    assert times(folder) == before

    (folder / "record.json").unlink()
    assert harness(*arguments)[1] == first
    after = times(folder)
    assert {name for name in FILES if after[name] != before[name]} == {"record.json"}

    content = (folder / "predictions.parquet").read_bytes()
    (folder / "predictions.parquet").write_bytes(content[:-100])  # as after a full disk
    (folder / "record.json").unlink()
    assert harness(*arguments)[1] == first
    assert (folder / "predictions.parquet").read_bytes() == content

    (folder / "record.json").write_text("{")  # damaged, so it is made again
    assert harness(*arguments)[1] == first
    (folder / "predictions.parquet").unlink()  # a record alone is not enough
    assert harness(*arguments)[1] == first
    assert (folder / "predictions.parquet").read_bytes() == content

    for path in (data / "coco").rglob("*.json"):  # file times do not matter
        path.touch()
    before = times(folder)
    harness(*arguments)
    assert times(folder) == before

    boxes = json.loads((data / BOXES).read_text())
    boxes[0]["score"] /= 2  # but content does
    (data / BOXES).write_text(json.dumps(boxes))
    assert harness(*arguments)[0] == 0
    assert times(folder)["predictions.parquet"] != before["predictions.parquet"]


def test_json_is_alone_on_standard_output(harness: Harness, data: Path) -> None:
    code, out, err = harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["counts"] == {"partial": 1}
    assert [row["id"] for row in document["rows"]] == ["coco/alexnet-256x192"]
    assert document["rows"][0]["runs"][0]["people"] == FIRST
    assert "partial" in err


def test_scoring_again_gives_the_same(harness: Harness, data: Path) -> None:
    harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 2)
    path = Path("runs/coco") / ROW / "val" / "record.json"
    before = path.read_text()
    damaged = json.loads(before)
    damaged["metrics"]["AP"] = 0.9
    path.write_text(json.dumps(damaged))
    code, out, _ = harness("score", "runs")
    assert code == 0
    assert out.startswith(f"coco/alexnet-256x192 val   partial   [{path.parent}]\n  AP ")
    assert path.read_text() == before

    (data / ANNOTATIONS).write_text("{}")
    code, _, err = harness("score", "runs")
    assert code == 3
    assert f"the annotation file is not the one that the run used: {Path('data', ANNOTATIONS)}" in err
    assert harness("score", "data")[0] == 2


def renumbered(boxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return boxes of the images 1, 2, 3 and so on."""
    numbers = {image: i for i, image in enumerate(sorted({box["image_id"] for box in boxes}), 1)}
    return [box | {"image_id": numbers[box["image_id"]]} for box in boxes]


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20000])


@pytest.mark.parametrize(
    ("damage", "verdict", "message"),
    [
        (
            lambda data: (data / "coco/val2017" / IMAGE).unlink(),
            "unobtainable",
            f"1 of {len(coco.PLAN)} images are missing, the first is data/coco/val2017/{IMAGE}",
        ),
        (
            lambda data: truncate(data / "coco/val2017" / IMAGE),
            "failed",
            f"image is truncated: data/coco/val2017/{IMAGE} (20000 bytes)",
        ),
        (
            lambda data: edit_json(data / BOXES, renumbered),
            "unobtainable",
            f"{len(coco.PLAN)} of its image ids, such as 1, are not in data/{ANNOTATIONS}: data/{BOXES}",
        ),
        (
            lambda data: edit_json(data / BOXES, lambda boxes: []),
            "unobtainable",
            f"no person boxes in the box file: data/{BOXES}",
        ),
        (lambda data: (data / BOXES).unlink(), "unobtainable", f"the box file is missing: data/{BOXES}"),
        (
            lambda data: (data / ANNOTATIONS).write_text("{"),
            "unobtainable",
            f"the annotation file cannot be read: data/{ANNOTATIONS}",
        ),
        (
            lambda data: edit_json(
                data / ANNOTATIONS,
                lambda a: (
                    a
                    | {
                        "annotations": [
                            {k: v for k, v in annotation.items() if k != "keypoints"} for annotation in a["annotations"]
                        ]
                    }
                ),
            ),
            "unobtainable",
            f"data/{ANNOTATIONS}",
        ),
    ],
    ids=[
        "missing image",
        "truncated image",
        "boxes of other images",
        "no boxes",
        "no box file",
        "broken annotations",
        "annotations without keypoints",
    ],
)
def test_damage_is_named_and_recorded(
    harness: Harness, data: Path, damage: Callable[[Path], Any], verdict: str, message: str
) -> None:
    damage(data)
    code, out, _ = harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--offline")
    assert code == 3
    assert out.splitlines()[0].endswith(verdict)
    assert f"{verdict}: " in out
    assert message in out
    record = Record.load(Path("runs/coco") / ROW / "val" / "record.json")
    assert record.status == verdict
    assert record.reason is not None
    assert message in record.reason


OWN_SUITE = """\
schema_version: 1
name: own
title: My models
dataset:
  name: COCO
  num_keypoints: 17
  annotations: coco/annotations/person_keypoints_val2017.json
  images: coco/val2017
  boxes: coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
"""
OWN_ROW = """\
  - id: ID
    label: Mine
    input_size: 256x192
    boxes: detector
    published:
      table: {AP: 0.500}
    runs:
      val:
        config: body_2d_keypoint/topdown_heatmap/coco/CONFIG.py
        checkpoint: {url: "https://example.org/CHECKPOINT", sha256: "SHA256"}
"""


ON_TRUTH = """boxes: ground-truth
    overrides: [{field: bbox_file, value: null, reason: the config is that of the detector row}]"""


def own_row(row: str, config: str, checkpoint: str, sha256: str) -> str:
    filled = OWN_ROW.replace("ID", row).replace("CONFIG", config)
    return filled.replace("CHECKPOINT", checkpoint).replace("SHA256", sha256)


ALEXNET = "td-hm_alexnet_8xb64-210e_coco-256x192"
OTHER = "td-hm_shufflenetv2_8xb64-210e_coco-256x192"


def save_alexnet() -> Path:
    """Write a checkpoint of AlexNet, with seeded weights, and return its path."""
    checkpoint = Path("checkpoints/mine.pth")
    checkpoint.parent.mkdir()
    config = read_config(configs_folder() / f"body_2d_keypoint/topdown_heatmap/coco/{ALEXNET}.py")
    network = build_network(config)
    seed_weights(network, config, 0)
    torch.save({"state_dict": network.state_dict()}, checkpoint)
    return checkpoint


def test_own_rows_and_those_that_fail_beside_them(harness: Harness, data: Path) -> None:
    """A custom suite: a row that works, one with another network's checkpoint, one without a checkpoint."""
    checkpoint = save_alexnet()
    sha256 = sha256_file(checkpoint)
    rows = [
        ("good", ALEXNET, checkpoint.name, sha256),
        ("other-network", OTHER, checkpoint.name, sha256),
        ("no-checkpoint", OTHER, "missing.pth", sha256),
        ("wrong-hash", ALEXNET, checkpoint.name, "0" * 8),
    ]
    on_truth = own_row("on-truth", ALEXNET, checkpoint.name, sha256).replace("boxes: detector", ON_TRUTH)
    Path("own.yaml").write_text(OWN_SUITE + "".join(own_row(*row) for row in rows) + on_truth)

    run = ("run", "own.yaml", "--checkpoints", "checkpoints", "--offline")
    code, out, _ = harness(*run)
    assert code == 3
    shown = [line.split("   ") for line in out.splitlines()[:5]]
    assert [(line[0].strip(), line[-1]) for line in shown] == [  # in the order in which they end
        ("own/no-checkpoint", "unobtainable"),
        ("own/wrong-hash", "unobtainable"),
        ("own/other-network", "unobtainable"),
        ("own/good", "own boxes"),
        ("own/on-truth", "differs"),
    ]
    ap = person_ap(data / BOXES, data / ANNOTATIONS).ap
    assert ap is not None
    used = f"sha256 {sha256_file(data / BOXES)[:8]}, person AP {100 * ap:.1f}"
    assert f"own boxes: another box file than the published one: {used} [own/good]" in out
    assert f"checkpoint {Path('checkpoints/mine.pth')} is for another network than the row's config builds:" in out
    assert "checkpoint missing.pth is not in checkpoints" in out
    assert (
        f"checkpoint {Path('checkpoints/mine.pth')} has sha256 {sha256[:8]}, but the published sha256 is 00000000"
        in out
    )
    record = Record.load(Path("runs/own/good/val/record.json"))
    assert record.status == "own boxes"
    assert record.boxes is not None
    assert record.boxes.published is False
    assert record.boxes.person_ap == ap
    assert Record.load(Path("runs/own/on-truth/val/record.json")).boxes is None
    assert record.weights is not None
    assert record.weights.sha256 == sha256
    assert (record.images, record.people) == (len(coco.PLAN), ALL)

    assert harness(*run, "--rows", "on-truth")[0] == 1  # it differs from its claim, without other errors
    assert harness(*run, "--rows", "good")[0] == 0  # on other boxes no number is compared

    code, out, err = harness(*run, "--rows", "*", "--limit", 1)
    assert (code, out) == (2, "")  # reported before any row begins
    assert f"a partial run would replace the complete one in {Path('runs/own/good/val')}" in err

    # Another batch size is other content: the complete run is moved aside and not lost.
    assert harness(*run, "--rows", "good", "--batch-size", 7)[0] == 0
    assert record.predictions_key is not None
    aside = Path(f"runs/own/good/val.{record.predictions_key[:8]}")
    assert Record.load(aside / "record.json") == record


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coco", "--rows", "resnet50*"), "resnet50*"),
        (("cocoa",), "cocoa"),
        (("coco", "--weights", "random"), "'random' is not random:SEED"),
        (("coco", "--limit", "0"), "0 is not in the range"),
        (("coco", "--data", "nowhere", "--offline"), "the data folder nowhere does not exist"),
        (("coco", "--boxes", "nowhere.json"), "--boxes nowhere.json: no such file"),
        (("coco", "--boxes", "http://[::1"), "--boxes http://[::1: Invalid IPv6 URL"),
        (("coco", "--data", "data/coco/annotations/person_keypoints_val2017.json"), "val2017.json is a file"),
        (("coco", "--out", "data/coco/annotations/person_keypoints_val2017.json"), "cannot be written to"),
        (("coco", "--device", "cuda:99"), "--device cuda:99 cannot be used"),
    ],
)
def test_wrong_usage(harness: Harness, data: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = harness("run", *arguments)
    assert code == 2
    assert message in err
    assert out == ""
    assert not Path("runs").exists()


def test_a_typo_in_a_spec(harness: Harness, data: Path) -> None:
    Path("own.yaml").write_text(OWN_SUITE + own_row("a", ALEXNET, "a.pth", "0" * 8).replace("boxes:", "boxs:"))
    code, _, err = harness("run", "own.yaml")
    assert code == 2
    assert "own.yaml:16: rows[0].boxs: unknown key (did you mean boxes?)" in err


def test_boxes_of_ones_own(harness: Harness, data: Path) -> None:
    boxes = json.loads((data / BOXES).read_text())
    (data / BOXES).unlink()
    Path("mine.json").write_text(json.dumps(boxes[:10]))
    named = ("--boxes", "mine.json")
    code, _, _ = harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--offline", *named)
    assert code == 0
    record = Record.load(Path("runs/coco") / ROW / "val" / "record.json")
    assert record.people == 10
    assert record.boxes is not None
    assert (record.boxes.sha256, record.boxes.published) == (sha256_file(Path("mine.json")), False)
    code, out, _ = harness("score", "runs", "--data", data)
    assert (code, "coco/alexnet-256x192 val   partial" in out) == (0, True)

    for broken, said in (
        ([*boxes[:3], boxes[3] | {"image_id": [1]}], "mine.json: entry 3: image_id must be a whole number, not [1]"),
        (
            [box | {"bbox": [1, 2]} for box in boxes],
            "mine.json: entry 0: bbox must be 4 numbers x, y, w, h, not [1, 2]",
        ),
    ):
        Path("mine.json").write_text(json.dumps(broken))
        code, out, _ = harness("run", "coco", "--rows", ROW, "--weights", "random:0", "--offline", *named)
        assert code == 3
        assert said in out
    code, _, err = harness("run", "mpii", "--rows", "litehrnet-18-*", "--weights", "random:0", *named)
    assert (code, "all selected rows use annotated boxes" in err) == (2, True)


def test_runs_of_two_contents_take_turns(harness: Harness, data: Path) -> None:
    """Each is kept completely, and neither is computed twice."""
    checkpoint = save_alexnet()
    Path("own.yaml").write_text(OWN_SUITE + own_row("a", ALEXNET, checkpoint.name, sha256_file(checkpoint)))
    Path("mine.json").write_text(json.dumps(json.loads((data / BOXES).read_text())[:10]))
    run = ("run", "own.yaml", "--checkpoints", "checkpoints", "--offline")
    folder = Path("runs/own/a/val")
    people = []
    written = []
    for extra in ((), ("--boxes", "mine.json"), (), ("--boxes", "mine.json")):
        assert harness(*run, *extra)[0] == 0
        people.append(Record.load(folder / "record.json").people)
        written.append((folder / "predictions.parquet").stat().st_mtime_ns)
    assert people == [ALL, 10, ALL, 10]
    assert written[2:] == written[:2]
    assert len(list(folder.parent.iterdir())) == 2


def test_the_upstream_engine(harness: Harness, data: Path) -> None:
    arguments = ("run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1)
    harness(*arguments, "--out", "ours")
    code, out, _ = harness(*arguments, "--out", "theirs", "--engine", "upstream")
    assert code == 0
    assert out.splitlines()[0].endswith("partial")
    ours, theirs = (Record.load(Path(out) / "coco" / ROW / "val" / "record.json") for out in ("ours", "theirs"))
    protocol = Protocol.model_validate_json(Path("theirs", "coco", ROW, "val", "protocol.json").read_bytes())
    assert theirs.warnings == moved_by_packages(protocol)
    assert theirs.upstream_metrics == pytest.approx(theirs.metrics, abs=1e-9)
    assert theirs.metrics == ours.metrics

    # Only MMPose's loop gives its metrics, so that a run without them predicts again.
    (Path("theirs") / "coco" / ROW / "val" / "upstream_metrics.json").unlink()
    (Path("theirs") / "coco" / ROW / "val" / "record.json").unlink()
    assert harness(*arguments, "--out", "theirs", "--engine", "upstream")[0] == 0
    assert Record.load(Path("theirs") / "coco" / ROW / "val" / "record.json").metrics == theirs.metrics
    assert (Path("theirs") / "coco" / ROW / "val" / "upstream_metrics.json").is_file()


def test_the_upstream_engine_forks_nothing_beside_ray(
    harness: Harness, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's gRPC crashes in a forked process: a data loader's worker would end without a message."""

    def fork() -> int:
        raise AssertionError("a process was forked")

    monkeypatch.setitem(sys.modules, "ray", sys.modules.get("ray") or types.ModuleType("ray"))
    monkeypatch.setattr(os, "fork", fork, raising=False)
    code, _, _ = harness(
        "run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1, "--out", "theirs", "--engine", "upstream"
    )
    assert code == 0


def test_the_upstream_engine_without_its_evaluator(
    harness: Harness, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xtcocotools_ext, "install", lambda: "stand-in")
    code, _, _ = harness(
        "run", "coco", "--rows", ROW, "--weights", "random:0", "--limit", 1, "--out", "theirs", "--engine", "upstream"
    )
    assert code == 0
    record = Record.load(Path("theirs") / "coco" / ROW / "val" / "record.json")
    assert record.upstream_metrics is None
    assert record.metrics["AP"] is not None
    assert record.warnings[-1].startswith("MMPose's own evaluator did not run: it needs the package xtcocotools")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_on_a_terminal_bars_do_not_erase_results(data: Path) -> None:
    import pty

    command = [sys.executable, "-W", "ignore", "-m", "harness", "run", "coco", "--rows", ROW, "--weights", "random:0"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*command, "--limit", "1", "--batch-size", "4"], stdout=theirs, stderr=theirs, cwd=data.parent
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux raises it after the other side has closed
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"[\r\n]coco/alexnet-256x192   AP 0\.448 -> .* partial\r?\n", text)
    assert re.search(rf"coco/alexnet-256x192 predict +\S+ +\d+/{FIRST} +[0-9.]+ people/s +\d:\d\d:\d\d", text)
