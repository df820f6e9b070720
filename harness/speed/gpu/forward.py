"""People a second of a network, in each precision and in each way of computing it."""

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
from harness.speed.gpu.networks import CHOSEN, MeasuredNetwork, of_rows, ordinary_network, protocol_of, random_crops
from harness.speed.gpu.outcome import NetworkRates, Peaks, Rate, Way
from harness.speed.gpu.scale import Deadline, Sizes

ROUNDS = 3
"""Rates are the median of so many."""
_WARM = 2
"""Batches before the first round: the first records a graph."""
_LEAST_S = {"compiled": 60.0}
"""Seconds that a way needs to be left."""

Choice = tuple[Precision, Way]
Work = tuple[MeasuredNetwork, tuple[Choice, ...]]


def first_choices(device: torch.device) -> tuple[Choice, ...]:
    """Return what the time of the whole table follows from: the fast precisions as a run computes them."""
    fast: tuple[Precision, ...] = ("bf16", "tf32")
    return tuple((precision, run_way(precision, device)) for precision in fast)


def run_way(precision: Precision, device: torch.device) -> Way:
    """Return the way in which `harness run` computes."""
    if precision == "fp32":
        return "eager"
    return "graph" if device.type == "cuda" else "channels_last"


def other_work(networks: Sequence[MeasuredNetwork], device: torch.device) -> list[Work]:
    """Return what is measured where time is left, in order: fp32 and fp16 of all, all ways of some, then of all.

    A CPU has no graphs, and computes fp16 so slowly that it is left out.
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
    """Return what comes last, because a compiler may take minutes."""
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
    """Yield the rates of each network when they are measured, those that are known included.

    Args:
        work: Networks and what is to be measured of each.
        known: What was measured before, by rows; it is brought up to date.
        device: Where they are computed.
        peaks: Of the device.
        scale: How long.
        deadline: When to end.
        failed: Called with the row and the reason where a network cannot be built; the others go on.
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
        protocol = protocol_of(network.configs[0], device, "fp32", scale.batch)
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
        protocol = protocol_of(network.configs[0], device, precision, scale.batch, compiled=way == "compiled")
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
    """Return people a second.

    Raises:
        UsageError: The device does not have the precision.
        RunError: It does not compute in this way.
    """
    crops = random_crops(protocol.compute.batch_size, protocol, device)
    with _switched("exactgraphs" if way == "graph" else "nographs"):
        return people_per_second(_pass(network, protocol, way), crops, device, seconds)


def _pass(network: Any, protocol: Protocol, way: Way) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what computes heatmaps [n, K, h, w] from crops [n, H, W, 3]."""
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
    """Return the forward passes of MMPose's own loop under autocast, or with TF32."""
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
    """Return how many people of batches a device computes a second, one batch launched after the other."""

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
    """Meanwhile, `HARNESS_CUDA` has this switch alone."""
    before = os.environ.get("HARNESS_CUDA")
    os.environ["HARNESS_CUDA"] = name
    try:
        yield
    finally:
        del os.environ["HARNESS_CUDA"]
        if before is not None:
            os.environ["HARNESS_CUDA"] = before
