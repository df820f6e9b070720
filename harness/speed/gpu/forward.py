"""Measures the people per second of a network in each precision and each way of computing it."""

import copy
import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from harness.codecs.interface import codec_of
from harness.predict.forward import Forward, flip_tested
from harness.predict.networks import count_flops, forward_head, normalise
from harness.predict.precision import arithmetic
from harness.protocol import Precision, Protocol
from harness.speed.gpu.networks import CHOSEN, MeasuredNetwork, of_rows, ordinary_network, random_crops, run_protocol
from harness.speed.gpu.outcome import NetworkRates, Peaks, Rate, Way
from harness.speed.gpu.scale import Deadline, Sizes

ROUNDS = 3
"""Number of rounds; a rate is their median."""
_WARM = 2
"""Number of batches before the first round; the first batch records a CUDA graph."""
_LEAST_S = {"compiled": 60.0}
"""Seconds that must be left before a way is measured."""

Choice = tuple[Precision, Way]
Work = tuple[MeasuredNetwork, tuple[Choice, ...]]


def first_choices(device: torch.device) -> tuple[Choice, ...]:
    """Return the choices that the time of the whole table is computed from: fast precisions, as in a run."""
    fast: tuple[Precision, ...] = ("bf16", "tf32")
    return tuple((precision, run_way(precision, device)) for precision in fast)


def run_way(precision: Precision, device: torch.device) -> Way:
    """Return the way in which `harness run` computes."""
    if precision == "fp32":
        return "eager"
    return "graph" if device.type == "cuda" else "channels_last"


def other_work(networks: Sequence[MeasuredNetwork], device: torch.device) -> list[Work]:
    """Return the further measurements in order: fp32 of all networks, all ways of some, fp16 of all, all ways of all.

    A CPU has no graphs, and fp16 is too slow on it to be measured.
    """
    on_gpu = device.type == "cuda"
    ways: tuple[Way, ...] = ("eager", "channels_last", "graph") if on_gpu else ("eager", "channels_last")
    precisions: tuple[Precision, ...] = ("bf16", "tf32", "fp16") if on_gpu else ("bf16", "tf32")
    every: tuple[Choice, ...] = tuple((precision, way) for precision in precisions for way in ways)
    exact: tuple[Choice, ...] = (("fp32", "graph"),) if on_gpu else ()
    half: tuple[Choice, ...] = (("fp16", "graph"),) if on_gpu else ()
    chosen = list(of_rows(networks, CHOSEN))
    return [
        *((network, (("fp32", "eager"),)) for network in networks),
        *((network, (*every, *exact)) for network in chosen),
        *((network, half) for network in networks),
        *((network, (*every, *exact)) for network in networks if network not in chosen),
    ]


def compiled_work(networks: Sequence[MeasuredNetwork]) -> list[Work]:
    """Return the last measurements; they come last because compiling may take minutes."""
    return [(network, (("bf16", "compiled"),)) for network in of_rows(networks, CHOSEN)]


def measure_networks(
    work: Sequence[Work],
    known: dict[tuple[str, ...], NetworkRates],
    device: torch.device,
    peaks: Peaks | None,
    scale: Sizes,
    deadline: Deadline,
    failed: Callable[[str, str], object],
) -> Iterator[NetworkRates]:
    """Yield the rates of each network as soon as they are measured, including rates that were known before.

    Args:
        work: Networks and the choices to measure for each.
        known: Earlier rates by rows; this function updates them.
        device: The measured device.
        peaks: The peaks of the device.
        scale: The durations of the measurements.
        deadline: The end of the time for all measurements.
        failed: Called with the row and the reason if a network cannot be built; the other networks are still measured.
    """
    for network, choices in work:
        rates = known.get(network.rows)
        wanted = [one for one in choices if rates is None or not (rates.rate(*one) or " ".join(one) in rates.failures)]
        if not wanted or deadline.left < max(_LEAST_S.get(way, 0.0) for _, way in wanted):
            continue
        try:
            known[network.rows] = _measured(network, wanted, rates, device, peaks, scale, deadline)
        except Exception as error:  # noqa: BLE001 (as below)
            failed(network.rows[0], str(error))
            continue
        yield known[network.rows]


def _measured(
    network: MeasuredNetwork,
    choices: Sequence[Choice],
    rates: NetworkRates | None,
    device: torch.device,
    peaks: Peaks | None,
    scale: Sizes,
    deadline: Deadline,
) -> NetworkRates:
    built = ordinary_network(network.configs[0], device)
    if rates is None:
        protocol = run_protocol(network.configs[0], device, "fp32", scale.batch)
        flops = count_flops(built, protocol.crop.input_size)
        rates = NetworkRates(
            rows=network.rows,
            input_size=protocol.crop.input_size,
            gflop=round(flops / 1e9, 3),
            passes=2 if protocol.flip.enabled else 1,
        )
    for precision, way in choices:
        if deadline.left < 0:
            break
        protocol = run_protocol(network.configs[0], device, precision, scale.batch, compiled=way == "compiled")
        try:
            people_s = _rate(copy.deepcopy(built), protocol, way, device, scale.seconds)
        except Exception as error:  # noqa: BLE001 (a compiler may raise anything; the other choices go on)
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            rates = rates.model_copy(update={"failures": rates.failures | {f"{precision} {way}": reason}})
            continue
        finally:
            if device.type == "cuda":
                gc.collect()  # a network refers to itself through its graph
                torch.cuda.empty_cache()
        share = people_s * rates.gflop * rates.passes / 1000 / peaks.of(precision) if peaks else None
        rate = Rate(
            precision=precision,
            way=way,
            as_run=way == run_way(precision, device),
            batch=protocol.compute.batch_size,
            people_s=people_s,
            share=share,
        )
        rates = rates.model_copy(update={"rates": (*rates.rates, rate)})
    return rates


def _rate(network: Any, protocol: Protocol, way: Way, device: torch.device, seconds: float) -> float:
    """Return people per second.

    Raises:
        UsageError: The device does not support the precision.
        RunError: The device cannot compute in this way.
    """
    crops = random_crops(protocol.compute.batch_size, protocol, device)
    with _switched("exactgraphs" if way == "graph" else "nographs"):
        return people_per_second(_pass(network, protocol, way), crops, device, seconds)


def _pass(network: Any, protocol: Protocol, way: Way) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that computes outputs, such as heatmaps [n, K, h, w], from crops [n, H, W, 3]."""
    forward = Forward(network, protocol)
    exact = protocol.compute.precision == "fp32" and way != "compiled"
    if way == "eager" and not exact:
        return _eager(network, protocol, forward.device)
    if not exact:
        forward.quicken()
    if way != "graph":
        return forward

    def replayed(crops: torch.Tensor) -> torch.Tensor:
        heatmaps = forward(crops)
        if failed := next((warning for warning in forward.warnings if "without a CUDA graph" in warning), None):
            raise RuntimeError(failed)
        return heatmaps

    return replayed


def _eager(network: Any, protocol: Protocol, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that computes as MMPose's own loop does, under autocast or with TF32."""
    joined = codec_of(protocol.decoder).joined

    @torch.inference_mode()
    def compute(crops: torch.Tensor) -> torch.Tensor:
        inputs = normalise(network, crops)
        with arithmetic(protocol.compute.precision, device):
            plain = joined(forward_head(network, inputs)).float()
            mirrored = joined(forward_head(network, inputs.flip(-1))).float() if protocol.flip.enabled else None
        return flip_tested(plain, mirrored, protocol)

    return compute


def people_per_second(
    compute: Callable[[torch.Tensor], object], batch: torch.Tensor, device: torch.device, seconds: float
) -> float:
    """Return the people per second of a device for consecutive batches."""

    def spent(batches: int) -> float:
        _wait(device)
        start = time.perf_counter()
        for _ in range(batches):
            compute(batch)
        _wait(device)
        return time.perf_counter() - start

    spent(_WARM)
    once = spent(1)
    batches = max(1, min(1000, round(seconds / ROUNDS / once)))
    return median(batches * len(batch) / spent(batches) for _ in range(ROUNDS))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _switched(name: str) -> Iterator[None]:
    """In this context, `HARNESS_CUDA` has only this switch."""
    before = os.environ.get("HARNESS_CUDA")
    os.environ["HARNESS_CUDA"] = name
    try:
        yield
    finally:
        del os.environ["HARNESS_CUDA"]
        if before is not None:
            os.environ["HARNESS_CUDA"] = before
