"""The measurements of a GPU, on the CPU with tiny sizes, and their conclusions."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.errors import RunError
from harness.protocol import Crop, Precision
from harness.speed.gpu import forward, measure
from harness.speed.gpu.forward import (
    compiled_work,
    first_choices,
    measure_networks,
    other_work,
    people_per_second,
    run_way,
)
from harness.speed.gpu.measure import Measurement
from harness.speed.gpu.networks import CHOSEN, measured_networks, ordinary_network
from harness.speed.gpu.outcome import (
    CropRate,
    Crops,
    DecoderRate,
    GpuReport,
    NetworkRates,
    Peaks,
    Rate,
    UpstreamRun,
    WholeRun,
)
from harness.speed.gpu.page import gpu_markdown, gpu_summary
from harness.speed.gpu.peaks import peaks_of
from harness.speed.gpu.scale import TINY, Deadline
from harness.speed.gpu.table import with_conclusions
from harness.speed.gpu.watch import Seen, read_lines, watch
from harness.speed.gpu.whole_runs import Places, measure_run, measure_upstream, write_data
from harness.speed.gpu_model import Table, TableRow
from harness.speed.outcome import Circumstances
from harness.speed.whole_runs import TEN_ROWS

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ROWS = "alexnet-256x192"
NOW = Circumstances(commit=None, dirty=False, load=None)
CROP = Crop(input_size=(192, 256), padding=1.25, affine="plain")
PEAKS = Peaks(fp32=10, tf32=50, half=100, source="a data sheet")
MACHINE: dict[str, Any] = {
    "gpu": {"name": "NVIDIA H200", "memory": 140 * 2**30, "driver": "580.1"},
    "compute_capability": "9.0",
    "cpu": "a CPU",
    "cores": 16,
    "packages": {"torch": "2.11.0", "numpy": "2.5.2"},
    "cuda": "13.0",
    "cudnn": 91900,
    "commit": None,
    "dirty": False,
}


def test_everything_on_a_cpu(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[GpuReport] = []
    monkeypatch.setattr(
        measure, "measure_run", lambda rows, _places, precision, *_: whole_run(rows.split(","), precision)
    )
    monkeypatch.setattr(measure, "measure_upstream", lambda row, *_: upstream_run(row))
    told: list[str] = []
    report = Measurement(CPU, samples, ROWS, 5, kept.append).run(told.append)
    assert not report.failed
    assert not report.left_out
    assert report.rehearsal
    assert [network.rows for network in report.networks] == [("alexnet-256x192",)]
    for network in report.networks:
        assert network.gflop > 0
        assert network.as_run("fp32") == network.rate("fp32", "eager")
        assert network.as_run("bf16") == network.rate("bf16", "channels_last")
        assert "needs an NVIDIA GPU" in network.failures["tf32 channels_last"]
        assert {(rate.precision, rate.way) for rate in network.rates} >= {("bf16", "eager"), ("fp32", "eager")}
    assert {decoder.codec for decoder in report.decoders} == {"msra"}
    assert all(0 < decoder.shares["bf16"] < 10 for decoder in report.decoders)
    assert report.crops is not None
    assert [rate.boxes for rate in report.crops.rates] == [42, 42]
    assert [run.precision for run in report.runs] == ["bf16", "bf16", "fp32"]
    assert kept[-1] == report
    assert len(kept) > 8  # after each measurement
    page = gpu_markdown(report)
    assert "A rehearsal on a CPU" in page
    assert "needs an NVIDIA GPU" in page
    assert GpuReport.model_validate_json(report.model_dump_json()) == report


def test_no_time(samples: Path) -> None:
    measurement = Measurement(CPU, samples, ROWS, 1e-9, lambda _: None)
    report = measurement.run(lambda _: None)
    assert "crops" in report.left_out
    assert report.networks == ()
    assert "- crops: no time was left" in gpu_markdown(report)


def test_a_step_that_fails_leaves_the_others(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RunError("no such thing", "try another")

    for name in ("measure_networks", "measure_decoders", "measure_run", "measure_upstream"):
        monkeypatch.setattr(measure, name, fail)
    report = Measurement(CPU, samples, ROWS, 5, lambda _: None).run(lambda _: None)
    assert "no such thing" in report.failed["decoders"]
    assert report.crops is not None
    assert "- decoders: no such thing try another" in gpu_markdown(report)


@pytest.mark.long
def test_real_processes(samples: Path, tmp_path: Path) -> None:
    data = write_data(samples, 2, 34, tmp_path / "data")
    ours, theirs = (Places(data, tmp_path / name, tmp_path) for name in ("ours", "theirs"))
    for places in (ours, theirs):
        places.scratch.mkdir()
    run = measure_run(ROWS, ours, "fp32", CPU, 200)
    assert (run.images, run.boxes, run.busy, run.device_mb) == (2, 34, None, None)
    assert 0 < run.forward_s < run.predict_s < run.wall_s
    assert 100 < run.host_mb < 20_000
    made = (tmp_path / f"{ROWS}.pth").stat().st_mtime_ns
    found = measure_upstream(ROWS, theirs, 2, 200)
    assert (tmp_path / f"{ROWS}.pth").stat().st_mtime_ns == made  # written once for all runs
    assert (found.boxes, found.loop_boxes) == (34, 2)
    assert 0 < found.loop_s < found.wall_s


def test_a_process_that_takes_too_long(samples: Path, tmp_path: Path) -> None:
    data = write_data(samples, 1, 8, tmp_path / "data")
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="more than 0 s"):
        measure_run(ROWS, Places(data, tmp_path / "run", tmp_path), "fp32", CPU, 0.05)


def test_the_networks_of_coco() -> None:
    networks = measured_networks(None)
    assert len(networks) == 38
    assert sum(len(network.rows) for network in networks) == 41
    assert tuple(network.rows[0] for network in networks[:4]) == CHOSEN
    assert {"hrnet-w48-256x192", "hrnet-w48-dark-256x192", "hrnet-w48-udp-256x192"} in [
        set(network.rows) for network in networks
    ]
    (_, protocol) = next(networks[0].protocols(CUDA))
    assert protocol.compute.batch_size == 128
    work = other_work(networks, CUDA)
    assert {choice for _, choices in work for choice in choices} >= {("fp32", "graph"), ("fp16", "eager")}
    assert [network.rows[0] for network, _ in compiled_work(networks)] == list(CHOSEN)
    assert first_choices(CUDA) == (("bf16", "graph"), ("tf32", "graph"))
    assert run_way("fp32", CUDA) == "eager"


def test_ordinary_weights() -> None:
    (network,) = measured_networks(ROWS)
    built = ordinary_network(network.configs[0], CPU)
    heatmaps = built.head(built.extract_feat(torch.randn(2, 3, 256, 192)))
    assert torch.isfinite(heatmaps).all()
    assert heatmaps.abs().max() > 1e-3


def test_known_rates_are_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CUDA", "nostreams")
    (network,) = measured_networks(ROWS)
    known: dict[tuple[str, ...], NetworkRates] = {}
    work: Any = [(network, (("fp32", "eager"),))] * 2
    found = list(measure_networks(work, known, CPU, PEAKS, TINY, Deadline(5), lambda *_: None))
    assert len(found) == 1
    (rate,) = found[0].rates
    assert rate.share == pytest.approx(rate.people_s * found[0].gflop * 2 / 10_000)
    assert rate.batch == 1
    assert os.environ["HARNESS_CUDA"] == "nostreams"  # as before


def test_rate_is_of_the_median_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    costs = iter([9.0, 9.0, 1.0, *[0.5] * 2, *[1.0] * 2, *[2.0] * 2])  # two warm-ups, one estimate, three rounds

    def compute(_: torch.Tensor) -> None:
        clock[0] += next(costs)

    monkeypatch.setattr("harness.speed.gpu.forward.time.perf_counter", lambda: clock[0])
    assert people_per_second(compute, torch.zeros(10, 1), CPU, 6) == 10
    assert next(costs, None) is None


def test_a_network_that_cannot_be_built_leaves_the_others(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(config: Any, _: torch.device) -> Any:
        raise RunError(f"no module in {Path(config.filename).stem[:12]}")

    monkeypatch.setattr(forward, "ordinary_network", build)
    monkeypatch.setattr(measure, "measure_run", lambda *_: whole_run(["a"], "bf16"))
    monkeypatch.setattr(measure, "measure_upstream", lambda *_: upstream_run("a"))
    report = Measurement(CPU, samples, "alexnet-*,shufflenet-v1-*", 5, lambda _: None).run(lambda _: None)
    assert report.failed == {
        "forward passes of alexnet-256x192": "no module in td-hm_alexne",
        "forward passes of shufflenet-v1-256x192": "no module in td-hm_shuffl",
    }
    assert report.decoders


@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA H100 NVL", None),
        ("NVIDIA H200 NVL", None),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("Tesla T4", None),
    ],
)
def test_peaks(name: str, half: float | None) -> None:
    peaks = peaks_of(name)
    assert (peaks and peaks.of("bf16")) == half


def test_what_nvidia_smi_says() -> None:
    seen = Seen()
    read_lines(iter(["100, 1000\n", "50, 3000\n", "[N/A], 5\n", "7"]), seen)
    assert seen.mean_busy == 0.75
    assert seen.peak_mb == pytest.approx(3145.728)
    with watch(CPU) as nothing:
        pass
    assert (nothing.mean_busy, nothing.peak_mb) == (None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="the replacement of nvidia-smi is a shell script")
def test_a_gpu_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "$@" >"$0.said"\necho "40, 10"\ntouch "$0.ready"\nexec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="12-ab"))
    deadline = time.monotonic() + 20
    with watch(CUDA) as seen:
        while not (tmp_path / "nvidia-smi.ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert time.monotonic() < deadline
    assert seen.mean_busy == 0.4
    assert seen.peak_mb == pytest.approx(10.48576)
    assert (tmp_path / "nvidia-smi.said").read_text().startswith("-i GPU-12-ab --query-gpu=utilization.gpu,memory.used")


def test_a_graph_that_fails_is_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ungraphed:
        def __init__(self, *_: object) -> None:
            self.warnings: list[str] = []

        def quicken(self) -> None:
            self.warnings.append("norms are not folded into the convolutions")

        def __call__(self, crops: torch.Tensor) -> torch.Tensor:
            if len(crops) > 1:
                self.warnings.append("computed without a CUDA graph: a reason")
            return crops

    monkeypatch.setattr(forward, "Forward", Ungraphed)
    (network,) = measured_networks(ROWS)
    (_, protocol) = next(network.protocols(CPU))
    compute = forward._pass(None, protocol, "graph")
    assert compute(torch.ones(1)).sum() == 1
    with pytest.raises(RuntimeError, match="without a CUDA graph: a reason"):
        compute(torch.ones(2))


def whole_run(rows: list[str], precision: Precision, **changes: Any) -> WholeRun:
    fields: dict[str, Any] = {
        "rows": tuple(rows),
        "precision": precision,
        "images": 5000,
        "boxes": 1000,
        "wall_s": 23.0,
        "predict_s": 13.0,
        "forward_s": 10.0,
        "exact_forward_s": 0.0,
        "busy": 0.5,
        "host_mb": 900,
        "device_mb": 2000.0,
        "timings": {},
    }
    return WholeRun(**fields | changes)


def upstream_run(row: str, **changes: Any) -> UpstreamRun:
    fields: dict[str, Any] = {"row": row, "images": 80, "boxes": 132, "wall_s": 60.0, "loop_boxes": 100, "loop_s": 25.0}
    return UpstreamRun(**fields | changes)


@pytest.fixture
def conclude() -> Callable[..., GpuReport]:
    """Return a function that draws conclusions from a changeable report of two rows, one of them a transformer."""
    table = Table((TableRow("a", CROP, "msra", 2), TableRow("b", CROP, "udp", 2, transformer=True)), 50, 1000)

    def network(row: str, people_s: float) -> NetworkRates:
        rate = Rate(precision="bf16", way="graph", as_run=True, batch=128, people_s=people_s, share=0.1)
        return NetworkRates(rows=(row,), input_size=(192, 256), gflop=50, passes=2, rates=(rate,))

    def concluded(**changes: Any) -> GpuReport:
        several = whole_run(["a", "b"], "bf16", wall_s=25.0)
        report = GpuReport(
            machine=MACHINE,
            rehearsal=False,
            measured=NOW,
            minutes=5,
            peaks=PEAKS,
            networks=(network("a", 100), network("b", 50)),
            decoders=(
                DecoderRate(codec="msra", heatmap_size=(48, 64), rows=("a",), batch=128, people_s=9e4, device_us=100),
                DecoderRate(codec="udp", heatmap_size=(48, 64), rows=("b",), batch=128, people_s=9e4, device_us=900),
            ),
            crops=Crops(cores=16, rates=(CropRate(geometries=("192x256 plain",), images=9, boxes=200, seconds=0.1),)),
            runs=(whole_run(["resnet-50-256x192"], "bf16"), several),
            upstream=(upstream_run("resnet-50-256x192"),),
        )
        return with_conclusions(report.model_copy(update=changes), table)

    return concluded


def test_the_time_of_the_table(conclude: Callable[..., GpuReport]) -> None:
    (time,) = conclude().table
    assert time.precision == "bf16"
    assert time.forward_min == pytest.approx((10 + 20) / 60)
    assert time.decoding_min == pytest.approx((0.1 + 0.9) / 60)
    assert time.crops_min == pytest.approx(0.5 / 60)
    assert time.besides_min == pytest.approx((10 + 2) / 60)  # 23 - 13 for one row, 25 - 13 for two
    assert time.total_min == pytest.approx((30 + 1 + 12) / 60)
    assert time.share == pytest.approx(2 * 100e12 / 30 / 100e12)  # two rows of 2 x 50 GFLOP for 1000 people
    assert time.modelled_forward_min == pytest.approx((1 / 0.15 + 1 / 0.45) / 60)
    one, several = conclude().runs
    fewer = several.model_copy(update={"boxes": 600})  # 1200 predictions
    assert conclude(runs=(one, fewer)).table[0].besides_min == pytest.approx((10 + 2 * 1000 / 200) / 60)
    assert conclude(crops=None).table[0].total_min is None
    assert conclude(runs=()).table[0].besides_min is None
    slow = Crops(cores=1, rates=(CropRate(geometries=("a",), images=1, boxes=1, seconds=1),))
    assert conclude(crops=slow).table[0].total_min == pytest.approx((1000 + 12) / 60)
    assert conclude(networks=conclude().networks[:1]).table == ()


def test_targets(conclude: Callable[..., GpuReport]) -> None:
    def target(report: GpuReport, words: str) -> tuple[float, bool | None]:
        (found,) = [one for one in report.targets if words in one.what]
        return -1 if found.reached is None else round(found.reached, 3), found.met

    report = conclude()
    assert target(report, "whole table in bf16") == (0.717, True)  # 43 s
    assert target(report, "whole table in tf32") == (-1, None)
    assert target(report, "wall over forward") == (2.3, False)
    assert target(report, "resnet-50-256x192 in bf16, times") == (10.87, True)  # 0.25 s per box against 0.023
    assert target(report, "ten small rows") == (-1, None)
    assert target(report, "decoding") == (0.045, False)  # 900 µs at 50 people per second
    ten = whole_run(list(TEN_ROWS), "bf16", wall_s=100.0)
    every = tuple(upstream_run(row) for row in TEN_ROWS)
    assert target(conclude(runs=(ten,), upstream=every), "ten small rows") == (25.0, False)
    assert target(conclude(runs=(ten,), upstream=every[1:]), "ten small rows") == (-1, None)


def test_page(conclude: Callable[..., GpuReport]) -> None:
    report = conclude(left_out=("fp32",), failed={"crops": "a reason\n  a hint"})
    page = gpu_markdown(report)
    assert "rehearsal" not in page
    assert "NVIDIA H200 (140 GiB, driver 580.1, compute capability 9.0)" in page
    assert "| resnet-50-256x192 in bf16, wall over forward | at most 1.15 | 2.3 | no |" in page
    assert "| a | 50.00 | - | - | 100 (10%) | - |" in page
    assert "| udp | 48x64 | 1 | 90,000 | 900.00 | 4.5% |" in page
    assert "- a alone needs 100 boxes a second: 0.8 cores." in page
    assert "- 2 rows at once need 32 boxes a second: 0.3 cores." in page
    assert "| 2 rows at once | bf16 | 1,000 | 25.0 | 10.0 | 2.50 | 50% | 900 | 2,000 |" in page
    assert "- crops: a reason a hint" in page
    assert any(line.startswith("no ") and line.endswith("wall over forward") for line in gpu_summary(report))
