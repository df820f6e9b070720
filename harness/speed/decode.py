"""Measures the speed of decoding, compared with MMPose's heads, whose codecs decode one person at a time."""

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from harness.arrays import Floating
from harness.codecs.interface import Codec
from harness.errors import DifferenceError
from harness.judge.parity import KEYPOINT_TOLERANCE
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.decoding import decode
from harness.speed.outcome import DecodingSpeed
from harness.speed.rounds import circumstances, compare_timed

INPUT_SIZE, HEATMAP_SIZE = (192, 256), (48, 64)
"""Width and height, px."""
KEYPOINTS = 17
BATCH = 32
"""People per batch, as in 73 of the 78 runs of MMPose's tables."""
PASSES = 4
"""Number of times that a round decodes all people; once would take our decoders only milliseconds."""


def measure_decoding(codec: Codec, people: int, rounds: int) -> DecodingSpeed:
    """Return the people per second of both decoders of a codec, which must have `settings`.

    Raises:
        DifferenceError: Decoded keypoints differ by more than 0.01 px.
    """
    measured = circumstances()
    install_stand_ins()
    from mmpose.models.heads import HeatmapHead

    assert codec.settings is not None
    sizes = {"heatmap_size": HEATMAP_SIZE} if codec.has_heatmaps else {}
    settings = {**codec.settings, "input_size": INPUT_SIZE, **sizes}
    decoder = codec.read(settings)
    assert decoder
    outputs = torch.from_numpy(codec.drawn(people, KEYPOINTS, decoder, INPUT_SIZE))
    head = HeatmapHead(1, KEYPOINTS * codec.channels, deconv_out_channels=None, decoder=settings)

    def upstream(batch: Tensor) -> Floating:
        return np.concatenate([person.keypoints for person in head.decode(codec.parted(batch, decoder))])

    def ours(batch: Tensor) -> Floating:
        return decode(batch, decoder, INPUT_SIZE)[0]

    for side in (upstream, ours):
        side(outputs[:BATCH])  # the first call of a process loads libraries
    largest = [0.0]

    def check(theirs: Floating, mine: Floating) -> None:
        largest.append(check_keypoints(codec.name, theirs, mine))

    batches = torch.split(outputs, BATCH) * PASSES
    sides = partial(by_batch, batches, upstream), partial(by_batch, batches, ours)
    comparison = compare_timed("people", people * PASSES, *sides, rounds, check)
    return DecodingSpeed(measured=measured, batch_size=BATCH, comparison=comparison, keypoint_max_px=max(largest))


def by_batch(batches: Sequence[Tensor], decode_batch: Callable[[Tensor], Floating]) -> tuple[float, Floating]:
    """Return the seconds of decoding and the results; each batch is written just before, as by a network."""
    seconds, results = 0.0, []
    gc.collect()
    for kept in batches:
        batch = kept.clone()
        start = time.perf_counter()
        results.append(decode_batch(batch))
        seconds += time.perf_counter() - start
    return seconds, np.concatenate(results)


def check_keypoints(codec: str, upstream: Floating, ours: Floating) -> float:
    """Return the largest difference between keypoints [N, K, 2], px of the network's input.

    Raises:
        DifferenceError: The difference is more than 0.01 px, or NaN.
    """
    largest = float(np.abs(upstream - ours).max())
    if not largest <= KEYPOINT_TOLERANCE:
        raise DifferenceError(f"{codec}: a decoded keypoint differs from MMPose's by {largest:.4f} px")
    return largest
