"""Passes in `harness run`: runs with the same people share a pass, as far as memory allows."""

import json
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Harness
from miniature import coco

from harness.arrays import Image
from harness.datasets.people import People
from harness.predict import crop_stream
from harness.predict.crops import read_image
from harness.predict.forward import Forward
from harness.predict.sources.mmpose import Mmpose
from harness.predictions import Predictions
from harness.record import Record
from harness.run import worker
from harness.run.precision_effect import sample

ROWS = ("shufflenet-v2-256x192", "alexnet-256x192", "litehrnet-18-256x192")
PEOPLE = coco.PLAN[0][-1]
"""Number of boxes in the first image."""


@pytest.fixture
def run(harness: Harness, samples: Path) -> Any:
    """Return a function that runs rows on the first image, and returns exit code, output and records."""

    def call(*extra: object, rows: tuple[str, ...] = ROWS, out: str = "runs") -> tuple[int, str, dict[str, Record]]:
        code, shown, _ = harness(
            "run",
            "coco",
            "--rows",
            ",".join(rows),
            "--data",
            samples,
            "--weights",
            "random:0",
            "--limit",
            1,
            "--offline",
            "--out",
            out,
            *extra,
        )
        return code, shown, {row: Record.load(Path(out) / "coco" / row / "val/record.json") for row in rows}

    return call


def keypoints(row: str, out: str) -> Any:
    return Predictions.load(Path(out) / "coco" / row / "val/predictions.parquet").keypoints


def images_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []

    def reading(path: Path) -> Image:
        read.append(path)
        return read_image(path)

    monkeypatch.setattr(crop_stream, "read_image", reading)
    return read


def test_rows_share_a_pass_and_get_what_they_get_alone(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = images_read(monkeypatch)
    code, shown, records = run()
    assert code == 0
    assert [line.split()[0] for line in shown.splitlines()[:3]] == [
        f"coco/{row}" for row in ("litehrnet-18-256x192", "shufflenet-v2-256x192", "alexnet-256x192")
    ]
    assert len(read) == 1
    for record in records.values():
        assert record.together == 3
        assert record.effect is None
        assert 0 < record.timings["forward"] < record.timings["predict"]
    run(rows=ROWS[:1], out="alone")
    assert len(read) == 2
    np.testing.assert_array_equal(keypoints(ROWS[0], "alone"), keypoints(ROWS[0], "runs"))


@pytest.mark.long
def test_small_memory_means_several_passes(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = images_read(monkeypatch)
    run()
    assert len(read) == 1
    monkeypatch.setattr(worker, "free_memory", lambda device: 2 * 35_000_000)  # enough for two of the three
    _, _, records = run(out="two")
    assert sorted(record.together for record in records.values()) == [1, 2, 2]
    for row in ROWS:
        np.testing.assert_array_equal(keypoints(row, "two"), keypoints(row, "runs"))


def test_no_room_for_a_network_on_the_device_ends_the_pass_before_it(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    members: list[Any] = []

    def moved(network: torch.nn.Module, protocol: Any) -> Any:
        if sum(member() is not None for member in members) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        found = Forward(network, protocol)
        members.append(weakref.ref(found))
        return found

    monkeypatch.setattr("harness.predict.sources.mmpose.Forward", moved)
    code, _, records = run()
    assert code == 0
    assert sorted(record.together for record in records.values()) == [1, 2, 2]


def test_a_network_that_cannot_be_built_or_run_leaves_the_others(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Mmpose.network
    networks: Iterator[int] = iter(range(3))

    def network(*arguments: Any, **weights: Any) -> torch.nn.Module:
        number = next(networks)
        if number == 0:
            raise RuntimeError("it cannot be built")
        built: Any = build(*arguments, **weights)
        if number == 1:
            built.head.forward = None
        return built  # type: ignore[no-any-return]

    monkeypatch.setattr(Mmpose, "network", network)
    code, shown, records = run()
    assert code == 3
    assert sorted(record.status for record in records.values()) == ["failed", "failed", "partial"]
    assert "RuntimeError: it cannot be built" in shown
    assert "TypeError: 'NoneType' object is not callable" in shown


def test_what_memory_did_is_in_the_record_and_stays_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_network = Forward._run

    def short_of_memory(forward: Any, inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run_network(forward, inputs)

    monkeypatch.setattr(Forward, "_run", short_of_memory)
    row = ROWS[1]
    _, _, records = run("--batch-size", 16, rows=(row,))
    assert records[row].warnings == ["out of memory on cpu: later passes take 8 people, not 16"]
    assert records[row].status == "partial"
    folder = Path("runs/coco") / row / "val"
    (folder / "record.json").unlink()
    _, _, again = run("--batch-size", 16, rows=(row,))
    assert again[row].warnings == records[row].warnings
    assert again[row].timings["forward"] == records[row].timings["forward"]

    predicted = (folder / "predictions.parquet").stat().st_mtime_ns
    (folder / "estimation.json").write_text("{")  # without it the predictions are not valid
    run("--batch-size", 16, rows=(row,))
    assert json.loads((folder / "estimation.json").read_text())["schema_version"] == 1
    assert (folder / "predictions.parquet").stat().st_mtime_ns != predicted


def test_the_effect_of_a_faster_precision_is_measured(run: Any) -> None:
    rows = ROWS[1:]
    _, _, exact = run(rows=rows)
    _, shown, faster = run("--precision", "fp32-fast", out="fast", rows=rows)
    _, _, half = run("--precision", "bf16", out="half", rows=ROWS[1:2])
    for row in rows:
        effect = faster[row].effect
        assert effect is not None
        assert (effect.images, effect.people) == (1, PEOPLE)
        if row.startswith("litehrnet"):  # too small to become faster
            assert effect.score_max == effect.keypoint_max_px == 0
            assert any("computed exactly" in warning for warning in faster[row].warnings)
        else:
            assert 0 < effect.score_max < 1e-2
        assert effect.keypoint_median_px < 0.01
        assert effect.metrics.keys() == exact[row].metrics.keys()
        protocol = json.loads((Path("fast/coco") / row / "val/protocol.json").read_text())
        assert protocol["compute"]["precision"] == "fp32-fast"
        # The sample contains all people here, so that the runs' difference is the same effect.
        moved = np.linalg.norm(keypoints(row, "fast") - keypoints(row, "runs"), axis=-1)
        assert effect.keypoint_max_px == pytest.approx(moved.max())
    assert re.search(
        rf"\neffect of the precision: coco/alexnet-256x192: on the first {PEOPLE} people keypoints move by 0 px in the "
        r"median, [\d.e-]+ at most; AP \+0\.0000\n",
        shown,
    )
    assert half[ROWS[1]].effect is not None
    assert half[ROWS[1]].effect.score_max > faster[ROWS[1]].effect.score_max


def test_noise_floor(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = rows = ROWS[1:2]
    _, first, records = run(rows=rows)
    assert records[row].noise is None
    _, shown, records = run("--noise", rows=rows)
    assert shown == first
    noise = records[row].noise
    assert noise is not None
    threads = torch.get_num_threads()
    assert [variant.change for variant in noise.variants] == [
        "batch size 16",
        "precision fp32-fast",
        "1 thread" if threads > 1 else "2 threads",
    ]
    assert torch.get_num_threads() == threads
    for variant in noise.variants:
        assert variant.differences.keys() == records[row].metrics.keys()
    assert 0 <= noise.floor("AP") < 1e-3

    monkeypatch.setattr("harness.run.rows.measure_noise", None)  # a known noise floor is not measured again
    assert run("--noise", rows=rows)[2] == records


def test_precision_that_a_device_lacks(harness: Harness, samples: Path) -> None:
    code, _, err = harness(
        "run",
        "coco",
        "--rows",
        ROWS[0],
        "--data",
        samples,
        "--weights",
        "random:0",
        "--limit",
        1,
        "--device",
        "cpu",
        "--precision",
        "tf32",
    )
    assert code == 2
    assert "--precision tf32 needs an NVIDIA GPU" in err
    assert not Path("runs").exists()


def test_precision_is_not_for_upstream(harness: Harness, samples: Path) -> None:
    code, _, err = harness("run", "coco", "--data", samples, "--engine", "upstream", "--precision", "bf16", "--offline")
    assert code == 2
    assert "--precision and --compile need --engine shared" in err


@pytest.mark.parametrize(("counts", "people"), [([22, 30], 22), ([3] * 100, 6), ([21] * 5000, 252), ([400, 400], 400)])
def test_the_sample_is_whole_images_and_little_of_all(counts: list[int], people: int) -> None:
    image_ids = np.repeat(np.arange(len(counts)), counts).tolist()
    boxes = [np.array([0, 0, 9, 9], np.float32)] * len(image_ids)
    everybody = People.from_boxes(
        image_ids, image_ids, boxes, [1.0] * len(image_ids), {i: Path(f"{i}.png") for i in range(len(counts))}
    )
    assert len(sample(everybody)) == people
