"""Measures the people per second of a decoder, for outputs on the device."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

import torch

from harness.codecs.interface import codec_of
from harness.predict.decoding import Decoding, begin_decoding
from harness.predict.stopwatch import Stopwatch
from harness.protocol import Decoder, Protocol, Size
from harness.speed.decode import KEYPOINTS
from harness.speed.gpu.networks import MeasuredNetwork
from harness.speed.gpu.outcome import DecoderRate
from harness.speed.gpu.scale import Deadline, Sizes

_AHEAD = 2
"""Number of batches that are launched before keypoints of the first are fetched, as in a run."""


def distinct_decoders(
    networks: Sequence[MeasuredNetwork], device: torch.device, scale: Sizes
) -> dict[Decoder, list[tuple[str, Protocol]]]:
    """Return the rows of networks and their protocols by decoder."""
    found: dict[Decoder, list[tuple[str, Protocol]]] = {}
    for network in networks:
        for row, protocol in network.protocols(device, scale.batch):
            found.setdefault(protocol.decoder, []).append((row, protocol))
    return found


def measure_decoders(
    decoders: dict[Decoder, list[tuple[str, Protocol]]], device: torch.device, scale: Sizes, deadline: Deadline
) -> Iterator[DecoderRate]:
    """Yield the rate of each decoder as soon as it is measured."""
    for decoder, rows in decoders.items():
        if deadline.left < 0:
            return
        protocol = rows[0][1]
        batch = protocol.compute.batch_size
        codec = codec_of(decoder)
        outputs = torch.from_numpy(codec.drawn(batch, KEYPOINTS, decoder, protocol.crop.input_size))
        people_s, device_s = _rates(outputs.to(device), decoder, protocol.crop.input_size, scale.seconds)
        yield DecoderRate(
            codec=decoder.codec,
            heatmap_size=decoder.heatmap_size,
            rows=tuple(row for row, _ in rows),
            batch=batch,
            people_s=people_s,
            device_us=1e6 * device_s,
        )


def _rates(outputs: torch.Tensor, decoder: Decoder, input_size: Size, seconds: float) -> tuple[float, float]:
    """Return people per second, and device seconds per person."""

    def spent(batches: int) -> tuple[float, float]:
        clock, coming = Stopwatch(outputs.device), deque[Decoding]()
        start = time.perf_counter()
        for _ in range(batches):
            with clock:
                coming.append(begin_decoding(outputs, decoder, input_size))
            if len(coming) > _AHEAD:
                coming.popleft().result()
        for decoding in coming:
            decoding.result()
        return time.perf_counter() - start, clock.seconds

    spent(2)
    once = spent(1)[0]
    batches = max(_AHEAD + 1, min(1000, round(seconds / once)))
    wall, on_device = spent(batches)
    people = batches * len(outputs)
    return people / wall, on_device / people
