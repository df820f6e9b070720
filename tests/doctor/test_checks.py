"""Each check passes on a CPU, and fails with a planted fault."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from harness.codecs.interface import codec_of
from harness.doctor import decoders, exactness, networks, precision, runs, trouble
from harness.doctor.check import Finding
from harness.doctor.networks import RunId, distinct_networks
from harness.doctor.outcome import NotRun
from harness.doctor.people import RENDERED, settled
from harness.predict.forward import Forward, flip_tested
from harness.predict.shared import predict_shared
from harness.predict.upstream import predict_upstream
from harness.protocol import Decoder
from harness.run.executors.here import Here
from harness.run.shards import ShardStore
from harness.run.worker import Worker
from harness.suites.configs import load_config
from harness.suites.load import load_suite

SMALL: RunId = ("demo", "litehrnet-18-128x96", "val")
SMALL_DARK: RunId = ("demo", "litehrnet-18-dark-128x96", "val")
MSRA = Decoder(codec="msra", heatmap_size=(24, 32))
Patch = pytest.MonkeyPatch


def passed(finding: Finding) -> Finding:
    assert finding.problems == []
    return finding


def wrapped(function: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function that changes another function's result."""
    return lambda *arguments, **named: change(function(*arguments, **named))


def test_the_distinct_networks_are_of_all_runs_and_begin_with_each_family() -> None:
    found = distinct_networks()
    assert len(found) == 232
    assert sum(len(network.runs) for network in found) == 417
    families = {network.family for network in found}
    assert {network.family for network in found[: len(families)]} == families
    (shared,) = [network for network in found if ("coco", "hrnet-w48-udp-256x192", "val") in network.runs]
    assert shared.name == "coco-pages/hrnet-w48-humanart-256x192/val and 9 more"


def test_network(rendered: Path, monkeypatch: Patch) -> None:
    finding = passed(networks.check_network([SMALL, SMALL_DARK], "cpu", rendered))
    assert finding.figures["protocols"] == 2
    assert finding.figures["heatmap_share"] == 0
    made: list[Forward] = []

    class Perturbed(Forward):
        def __init__(self, network: Any, protocol: Any) -> None:
            made.append(self)
            if len(made) == 2:  # the device's network
                network.backbone.stem.conv1.conv.weight.mul_(1.2)
            super().__init__(network, protocol)

    monkeypatch.setattr(networks, "Forward", Perturbed)
    finding = networks.check_network([SMALL], "cpu", rendered)
    assert any("keypoint_px" in problem for problem in finding.problems)
    assert any("score" in problem for problem in finding.problems)


def test_ties_are_not_settled() -> None:
    grid_y, grid_x = np.mgrid[:32, :24]
    x, y = np.array([10.3, 10.3, 10.0, 0.0]), np.array([12.3, 12.3, 12.2, 3.4])
    heatmaps = np.exp(-((grid_x - x[:, None, None]) ** 2 + (grid_y - y[:, None, None]) ** 2) / 8).astype(np.float32)
    heatmaps[1, 28, 20] = heatmaps[1].max() * 0.9995
    flat = np.zeros((1, 32, 24), np.float32)
    every = np.concatenate([heatmaps, flat])[None]
    assert settled(MSRA, every).tolist() == [[True, False, False, True, False]]
    dark = MSRA.model_copy(update={"codec": "dark", "blur_kernel_size": 11})
    assert settled(dark, every).tolist() == [[True, False, True, True, False]]


@pytest.mark.parametrize("on_device", [False, True], ids=["cpu path", "device path"])
@pytest.mark.parametrize("codec", ["msra", "dark", "udp", "megvii"])
def test_decoder(codec: Any, on_device: bool, monkeypatch: Patch) -> None:
    kernel = {"msra": None, "megvii": 5}.get(codec, 11)
    decoder = Decoder(codec=codec, heatmap_size=(24, 32), blur_kernel_size=kernel)
    if on_device:
        plugin = codec_of(decoder)
        monkeypatch.setattr(plugin, "on_cpu", plugin.on_device)
    passed(decoders.check_decoder(decoder, (96, 128), "cpu"))


@pytest.mark.parametrize("which", [0, 1], ids=["points", "scores"])
def test_a_shifted_decoder_fails(which: int, monkeypatch: Patch) -> None:
    def shifted(found: Any) -> Any:
        return found._replace(points=found.points + 0.02) if which == 0 else found._replace(scores=found.scores + 0.01)

    plugin = codec_of(MSRA)
    assert plugin.on_cpu
    locate = wrapped(plugin.on_cpu.locate, shifted)
    monkeypatch.setattr(plugin, "on_cpu", plugin.on_cpu._replace(locate=locate))
    (problem,) = decoders.check_decoder(MSRA, (96, 128), "cpu").problems
    assert problem.startswith(("keypoint_px is 0.02", "score is 0.01")[which])


def test_flip_test(monkeypatch: Patch) -> None:
    protocols = decoders.published_protocols()
    assert passed(decoders.check_flip_test(protocols, "cpu")).figures["ways"] == 51
    right = flip_tested

    def unshifted(plain: Any, mirrored: Any, protocol: Any) -> Any:
        flip = protocol.flip.model_copy(update={"shift": False})
        return right(plain, mirrored, protocol.model_copy(update={"flip": flip}))

    monkeypatch.setattr(decoders, "flip_tested", unshifted)
    problems = decoders.check_flip_test(protocols, "cpu").problems
    assert problems
    assert all("shift=True" in problem for problem in problems)


def test_single_precision(monkeypatch: Patch) -> None:
    assert "convolution_error_by_default" not in passed(precision.check_single_precision("cpu")).figures
    convolve = torch.nn.functional.conv2d

    def in_tf32(inputs: torch.Tensor, weights: torch.Tensor, **options: Any) -> torch.Tensor:
        if inputs.dtype == torch.float32 and torch.backends.cudnn.allow_tf32:
            inputs, weights = (
                ((values.contiguous().view(torch.int32) + 4096) & ~8191).view(torch.float32)
                for values in (inputs, weights)
            )
        return convolve(inputs, weights, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", in_tf32)
    monkeypatch.setattr(precision, "has_tf32", lambda _: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    finding = passed(precision.check_single_precision("cpu"))
    assert float(finding.figures["convolution_error_by_default"] or 0) > 1e-4
    assert not torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # simulates that TF32 was not disabled
    (problem,) = precision.check_single_precision("cpu").problems
    assert "convolution_error" in problem


def test_precision(rendered: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(precision, "PEOPLE", 2)
    finding = passed(runs.check_demo_precision("bf16", SMALL[1], "cpu", rendered))
    assert float(finding.figures["max_px"] or 0) > 0

    def worsen(forward: Any) -> None:
        if not forward._protocol.compute.exact:
            forward._network.head.final_layer.weight.mul_(-1)

    monkeypatch.setattr(Forward, "quicken", worsen)
    finding = runs.check_demo_precision("fp32-fast", SMALL[1], "cpu", rendered)
    assert "median_px" in finding.problems[0]
    assert "median_px" in precision.check_precision("fp32-fast", SMALL, "cpu", rendered).problems[0]


def test_out_of_memory(rendered: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(trouble, "RUN", SMALL)
    finding = passed(trouble.check_out_of_memory("cpu", rendered))
    assert finding.figures["halved"] == 1
    assert "stand-in" in finding.note

    class Forgetful(Forward):
        def __call__(self, crops: torch.Tensor) -> torch.Tensor:
            heatmaps = super().__call__(crops)
            return heatmaps.roll(1, 0) if self.warnings else heatmaps

    with monkeypatch.context() as patch:
        patch.setattr(trouble, "Forward", Forgetful)
        (problem,) = trouble.check_out_of_memory("cpu", rendered).problems
        assert "keypoint_px" in problem
    monkeypatch.setattr(trouble.StandInMemory, "bounded", lambda self, most: nullcontext())
    (problem,) = trouble.check_out_of_memory("cpu", rendered).problems
    assert problem == "10% of a batch's memory was enough: the memory did not run out"


def test_the_memory_of_a_gpu_is_bounded_and_set_free(monkeypatch: Patch) -> None:
    """Checks the calls on an imitation of torch.cuda."""
    calls: list[Any] = []
    for name, value in {
        "current_device": 2,
        "empty_cache": None,
        "memory_reserved": 100,
        "reset_peak_memory_stats": None,
        "max_memory_reserved": 900,
        "get_device_properties": SimpleNamespace(total_memory=4000),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: calls.append(given))
    memory = trouble.CudaMemory("cuda")
    assert memory.needed(lambda: calls.append("work")) == (100, 900)

    def fail() -> None:
        with memory.bounded(1000):
            calls.append("work")
            raise RuntimeError("it fails here")

    with pytest.raises(RuntimeError, match="it fails here"):
        fail()
    assert calls == ["work", (0.25, 2), "work", (1.0, 2)]


def test_not_a_number(rendered: Path, monkeypatch: Patch) -> None:
    passed(trouble.check_not_a_number("cpu", rendered))
    monkeypatch.setattr("harness.predict.shared.np.isfinite", lambda values: np.ones_like(values, bool))
    assert trouble.check_not_a_number("cpu", rendered).problems == ["heatmaps of NaN were decoded without an error"]


def test_interrupted(rendered: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(runs, "BATCH", 4)
    finding = passed(runs.check_interrupted("cpu", rendered))
    assert finding.figures["tasks_after_stop"] == int(finding.figures["tasks"] or 0) - runs.TASKS_BEFORE_STOP
    with monkeypatch.context() as patch:
        patch.setattr(ShardStore, "load", lambda self: iter(()))
        with pytest.raises(Exception, match="shards are damaged"):
            runs.check_interrupted("cpu", rendered)
    done: list[Any] = []
    do = Worker.do

    def drifting(self: Worker, task: Any) -> Any:
        done.append(task)
        results: list[Any] = do(self, task)
        made = results[0].predictions
        return [replace(results[0], predictions=replace(made, keypoints=made.keypoints + 1e-3 * len(done)))]

    monkeypatch.setattr(Worker, "do", drifting)
    (problem,) = runs.check_interrupted("cpu", rendered).problems
    assert problem.endswith("numbers of keypoints differ")


def test_two_workers(rendered: Path, monkeypatch: Patch) -> None:
    """With two workers in this process instead of `Devices`, which has its own tests."""
    count = 2

    class Pair(Here):
        def __init__(self, devices: list[str], progress: Any) -> None:
            super().__init__(devices[0], progress)
            self.tasks = 0

        def next(self) -> Any:
            self.tasks += 1
            self._worker.name = f"cpu, process {self.tasks % count} on this machine"
            return super().next()

    monkeypatch.setattr(runs, "Devices", Pair)
    assert passed(runs.check_two_workers("cpu", rendered)).figures["workers"] == 2
    count = 1
    assert runs.check_two_workers("cpu", rendered).problems == ["1 processes did tasks, not 2"]


def test_exactness(rendered: Path, monkeypatch: Patch) -> None:
    monkeypatch.setitem(exactness.PEOPLE, "cpu", 3)
    finding = passed(exactness.check_exactness(SMALL, "cpu", rendered))
    assert finding.figures["keypoint_px"] == finding.figures["metric"] == 0
    assert float(finding.figures["AP"] or 0) > 0.01
    assert not finding.note

    def moved(predictions: Any) -> Any:
        return replace(predictions, keypoints=predictions.keypoints + 0.02)

    monkeypatch.setattr("harness.run.parity.predict_shared", wrapped(predict_shared, moved))
    problems = exactness.check_exactness(SMALL, "cpu", rendered).problems
    assert any(problem.startswith("keypoint_px is 0.02, the limit is 0.01") for problem in problems)

    calls: list[Any] = []

    def restless(*arguments: Any) -> Any:
        predictions, metrics = predict_upstream(*arguments)
        calls.append(None)
        return replace(predictions, keypoints=predictions.keypoints + 0.03 * (len(calls) == 2)), metrics

    monkeypatch.setattr(exactness, "predict_upstream", restless)
    finding = exactness.check_exactness(SMALL, "cpu", rendered)  # MMPose's own results differ by more
    assert not any("keypoint_px" in problem for problem in finding.problems)
    assert finding.figures["mmpose_twice_px"] == pytest.approx(0.03, rel=1e-3)


def test_exactness_under_opencv_5_on_a_gpu_with_tf32(rendered: Path, monkeypatch: Patch) -> None:
    """MMPose's loop uses our warp with any OpenCV; and the effect of TF32 is measured."""
    from mmpose.datasets.transforms import topdown_transforms

    monkeypatch.setitem(exactness.PEOPLE, "cpu", 2)

    def other_pixels(image: Any, matrix: Any, size: Any, flags: int) -> Any:
        return cv2.warpAffine(image, matrix, size, flags=flags) ^ 7

    opencv = SimpleNamespace(**vars(cv2) | {"warpAffine": other_pixels})
    monkeypatch.setattr(topdown_transforms, "cv2", opencv)
    monkeypatch.setattr(exactness, "has_tf32", lambda _: True)
    finding = exactness.check_exactness(SMALL, "cpu", rendered)
    assert "keypoint_px" in finding.problems[0]
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    finding = passed(exactness.check_exactness(SMALL, "cpu", rendered))
    assert finding.note == "MMPose's crops use this project's warp, because this OpenCV has another warpAffine"
    assert finding.figures["tf32_px"] == 0
    assert topdown_transforms.cv2 is opencv


def test_a_run_whose_data_is_not_there_is_not_run(rendered: Path) -> None:
    with pytest.raises(NotRun, match=r"needs data: the annotation file is missing: .*aic_val\.json"):
        exactness.check_exactness(("aic", "hrnet-w32-256x192", "val"), "cpu", rendered)


def test_published_rows_run_on_the_rendered_people(rendered: Path) -> None:
    for name in RENDERED:
        suite = load_suite(name)
        files = [suite.dataset.annotations, suite.dataset.images, suite.dataset.boxes, *suite.dataset.extra.values()]
        assert all((rendered / file).exists() for file in files if file)


def test_decoders_of_the_published_runs_are_exact_on_their_own_heatmaps() -> None:
    for heatmaps in decoders._heatmaps(MSRA):
        points, scores = codec_of(MSRA).decode(heatmaps, MSRA, (96, 128))
        assert np.isfinite(points).all()
        assert np.isfinite(scores).all()


SIMCC = Decoder(codec="simcc", simcc_split_ratio=2.0, simcc_lengths=(192, 256))
COORDINATES = [SIMCC, Decoder(codec="regression"), Decoder(codec="integral"), SIMCC.model_copy(update={"kept": (3, 0)})]


@pytest.mark.parametrize("decoder", COORDINATES)
def test_decoder_of_vectors_or_coordinates(decoder: Decoder, monkeypatch: Patch) -> None:
    plugin = codec_of(decoder)
    monkeypatch.setattr(plugin, "on_cpu", plugin.on_device)
    assert passed(decoders.check_decoder(decoder, (96, 128), "cpu")).figures["decided_on_device_share"] == 1
    assert plugin.on_device
    located = plugin.on_device.locate

    def moved(*arguments: Any) -> Any:
        found = located(*arguments)
        return found._replace(points=found.points + 0.02)

    monkeypatch.setattr(plugin, "on_cpu", plugin.on_device._replace(locate=moved))
    (problem,) = decoders.check_decoder(decoder, (96, 128), "cpu").problems
    assert "keypoint_px" in problem


@pytest.mark.parametrize("decoder", COORDINATES[:2])
@pytest.mark.parametrize("shift", [False, True])
def test_flip_test_of_vectors_or_coordinates(decoder: Decoder, shift: bool, monkeypatch: Patch) -> None:
    suite = load_suite("demo")
    config = load_config(suite, suite.rows[0], suite.rows[0].runs["val"])
    template = networks.protocol_of(config, "cpu", 1)
    flip = template.flip.model_copy(update={"shift": shift, "mode": codec_of(decoder).flip_mode, "enabled": True})
    protocol = template.model_copy(update={"flip": flip, "decoder": decoder})
    passed(decoders.check_flip_test([protocol], "cpu"))
    codec = codec_of(decoder)
    monkeypatch.setattr(type(codec), "mirrored_back", lambda self, outputs, _: outputs.clone())
    assert decoders.check_flip_test([protocol], "cpu").problems
