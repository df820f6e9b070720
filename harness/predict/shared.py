"""The shared engine: several networks on the same people, whose images and crops are made once for all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from harness.arrays import Float32, Floating, Image, Indices
from harness.errors import RunError
from harness.predict.crop_stream import crop_stream
from harness.predict.crops import Regions, crop_regions
from harness.predict.decode import Decoding, begin_decoding
from harness.predict.forward import Forward
from harness.predict.people import People
from harness.predictions import Predictions
from harness.protocol import Crop, Protocol

Lane = tuple[Crop, int]
"""A geometry and a batch size: the networks of a lane see the same batches."""


@dataclass
class Estimator:
    """One network in a pass."""

    forward: Forward
    protocol: Protocol
    """How to crop and decode, and the batch size."""
    progress: Callable[[int], object]
    """Called with the number of people done, batch by batch."""
    heatmaps_seen: Callable[[Indices, Float32], object] | None = None
    """Called with each batch's people, as indices [n], and their heatmaps [n, K, h, w]."""

    @property
    def lane(self) -> Lane:
        """Where it belongs."""
        return self.protocol.crop, self.protocol.compute.batch_size


def predict_together(estimators: Sequence[Estimator], people: People) -> list[Predictions | Exception]:
    """Estimate the pose of everybody in `people` with each of several networks on one device.

    Returns:
        For each network its predictions, or what it failed with; that leaves the others running.

    Raises:
        RunError: An image cannot be read.
    """
    lanes: dict[Lane, list[int]] = {}
    for number, estimator in enumerate(estimators):
        lanes.setdefault(estimator.lane, []).append(number)
    collectors = [_Collector(estimator, people) for estimator in estimators]
    failures: dict[int, Exception] = {}

    def attempt(number: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (whatever one network fails with is told of it alone)
            failures[number] = error

    for lane, index, crops in crop_batches(people, list(lanes)):
        running = [number for number in lanes[lane] if number not in failures]
        if running:
            loaded = estimators[running[0]].forward.load(crops)
            for number in running:
                attempt(number, partial(collectors[number].take, index, loaded))
        if len(failures) == len(estimators):
            break
    for number in range(len(estimators)):
        if number not in failures:
            attempt(number, collectors[number].settle)
    return [failures.get(number) or collector.predictions() for number, collector in enumerate(collectors)]


def crop_batches(people: People, lanes: Sequence[Lane]) -> Iterator[tuple[Lane, Indices, Image]]:
    """Collect crops into batches [n, H, W, 3] of each lane's size; the last ones may be smaller."""
    geometries = list(dict.fromkeys(crop for crop, _ in lanes))
    batches = {lane: _Batch() for lane in lanes}
    for index, cuts in crop_stream(people, geometries):
        for crop, cut in zip(geometries, cuts, strict=True):
            for lane, batch in batches.items():
                if lane[0] == crop:
                    batch.add(index, cut)
                    while batch.count >= lane[1]:
                        yield lane, *batch.remove(lane[1])
    for lane, batch in batches.items():
        if batch.count:
            yield lane, *batch.remove(batch.count)


def predict_shared(
    network: torch.nn.Module,
    people: People,
    protocol: Protocol,
    progress: Callable[[int], object],
    heatmaps_seen: Callable[[Indices, Float32], object] | None = None,
) -> Predictions:
    """Estimate the pose of everybody in `people` with one network, in exact single precision.

    Args:
        network: From `build_network`, with weights.
        people: N people.
        protocol: How to crop, flip and decode, the batch size and the device.
        progress: As in `Estimator`.
        heatmaps_seen: As in `Estimator`.

    Raises:
        RunError: An image cannot be read, or the network gives heatmaps that are not finite numbers.
    """
    (outcome,) = predict_together([Estimator(Forward(network, protocol), protocol, progress, heatmaps_seen)], people)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@dataclass
class _Batch:
    """Crops on their way into a batch."""

    indices: list[Indices] = field(default_factory=list)
    crops: list[Image] = field(default_factory=list)
    count: int = 0

    def add(self, index: Indices, crops: Image) -> None:
        self.indices.append(index)
        self.crops.append(crops)
        self.count += len(index)

    def remove(self, count: int) -> tuple[Indices, Image]:
        """Take the first `count` people out."""
        index, crops = np.concatenate(self.indices), np.concatenate(self.crops)
        self.indices, self.crops, self.count = [index[count:]], [crops[count:]], len(index) - count
        return index[:count], crops[:count]


class _Collector:
    """Gathers one network's predictions.

    A batch's keypoints are fetched after the next batch has been launched, so that a GPU does not wait for them.
    """

    def __init__(self, estimator: Estimator, people: People) -> None:
        self._estimator = estimator
        self._people = people
        self._regions = crop_regions(people, estimator.protocol.crop)
        self._keypoints: Floating | None = None
        self._scores = np.empty((len(people), estimator.protocol.num_keypoints), np.float32)
        self._pending: tuple[Indices, Decoding] | None = None

    def take(self, index: Indices, crops: torch.Tensor) -> None:
        """Estimate the people of a batch of crops [n, H, W, 3]."""
        protocol = self._estimator.protocol
        heatmaps = self._estimator.forward(crops)
        if self._estimator.heatmaps_seen:
            self._estimator.heatmaps_seen(index, heatmaps.cpu().numpy())
        launched = index, begin_decoding(heatmaps, protocol.decoder, protocol.crop.input_size)
        self.settle()
        self._pending = launched

    def settle(self) -> None:
        """Fetch what has been launched.

        Raises:
            RunError: The heatmaps are not finite numbers.
        """
        if self._pending is None:
            return
        (index, decoding), self._pending = self._pending, None
        keypoints, scores = decoding.result()
        if not np.isfinite(scores).all():  # the maximum of a heatmap with a NaN in it is NaN
            raise RunError(
                "the network gives heatmaps with values that are not finite numbers",
                "check its checkpoint; with --precision fp16, numbers beyond 65504 do not exist",
            )
        if self._keypoints is None:
            self._keypoints = np.empty((*self._scores.shape, 2), keypoints.dtype)
        input_size = self._estimator.protocol.crop.input_size
        self._keypoints[index] = _to_image(keypoints, self._regions, index, input_size)
        self._scores[index] = scores
        self._estimator.progress(len(index))

    def predictions(self) -> Predictions:
        """Return everybody's."""
        assert self._keypoints is not None, "people are never empty: their readers see to that"
        people = self._people
        return Predictions(
            person_ids=people.ids,
            image_ids=people.image_ids,
            boxes=people.boxes,
            box_scores=people.scores,
            crop_areas=self._regions.sizes.prod(axis=1),
            keypoints=self._keypoints,
            keypoint_scores=self._scores,
        )


def _to_image(keypoints: Floating, regions: Regions, index: Indices, input_size: tuple[int, int]) -> Floating:
    """Map keypoints [n, K, 2] from px of the input to px of the image, in double precision.

    The same map for both affines, as in mmpose/models/pose_estimators/topdown.py `add_pred_to_datasample`.
    """
    sizes = regions.sizes[index, None]
    centers = regions.centers[index, None]
    moved: Floating = keypoints / np.array(input_size) * sizes + centers - np.float32(0.5) * sizes
    return moved
