"""The shared engine: runs several networks on the same people; images are read and crops made once for all of them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from harness.arrays import Float32, Floating, Image, Indices
from harness.codecs.interface import codec_of
from harness.datasets.people import People
from harness.errors import RunError
from harness.predict.crop_stream import crop_stream
from harness.predict.crops import CutOut, Regions, crop_regions, warp
from harness.predict.decoding import Decoding, begin_decoding
from harness.predict.sources.interface import HeatmapSource
from harness.predict.uploads import Uploads, uploads_to
from harness.predictions import Predictions
from harness.protocol import Crop, Protocol

_LEAST_AHEAD = 2
"""Least number of launched batches before the engine waits for results of a GPU."""


@dataclass
class Estimator:
    """One network in a pass."""

    forward: HeatmapSource
    protocol: Protocol
    """The crops, the decoder and the batch size."""
    progress: Callable[[int], object]
    """Called after each batch with its number of people."""
    outputs_seen: Callable[[Indices, Float32], object] | None = None
    """Called before each batch is decoded, with the indices [n] of its people and their outputs [n, C, ...]."""

    @property
    def input(self) -> tuple[Crop, int]:
        """Geometry and batch size; networks with equal inputs get the same batches."""
        return self.protocol.crop, self.protocol.compute.batch_size


def predict_together(
    estimators: Sequence[Estimator], people: People, cut_out: CutOut = warp
) -> list[Predictions | Exception]:
    """Predict the poses of people with several networks on one device.

    Args:
        estimators: The networks.
        people: N people.
        cut_out: As in `crop_stream`.

    Returns:
        For each network its predictions or its error; an error of one network does not stop the others.

    Raises:
        RunError: An image cannot be read.
    """
    takers: dict[tuple[Crop, int], list[int]] = {}
    for number, estimator in enumerate(estimators):
        takers.setdefault(estimator.input, []).append(number)
    ahead = -(-_LEAST_AHEAD // len(estimators))
    collectors = [_Collector(estimator, people, ahead) for estimator in estimators]
    uploads = uploads_to(estimators[0].forward.device)
    failures: dict[int, Exception] = {}

    def attempt(number: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (an error of one network must not stop the others)
            failures[number] = error

    for input_, index, crops in crop_batches(people, list(takers), uploads, cut_out):
        running = [number for number in takers[input_] if number not in failures]
        if running:
            loaded = uploads.load(crops)
            for number in running:
                attempt(number, partial(collectors[number].take, index, loaded))
        if len(failures) == len(estimators):
            break
    for number in range(len(estimators)):
        if number not in failures:
            attempt(number, collectors[number].settle)
    return [failures.get(number) or collector.predictions() for number, collector in enumerate(collectors)]


def crop_batches(
    people: People,
    inputs: Sequence[tuple[Crop, int]],
    uploads: Uploads | None = None,
    cut_out: CutOut = warp,
) -> Iterator[tuple[tuple[Crop, int], Indices, Image]]:
    """Yield batches of crops [n, H, W, 3] for each input (geometry and batch size); the last batch may be smaller.

    A batch's crops are valid until the next batch is requested. `uploads` and `cut_out` are as in `crop_stream`.
    """
    geometries = list(dict.fromkeys(crop for crop, _ in inputs))
    batchers = {(crop, size): _Batcher(size) for crop, size in inputs}
    largest = max(size for _, size in inputs)
    for index, cuts in crop_stream(people, geometries, largest, uploads=uploads, cut_out=cut_out):
        for (crop, size), batcher in batchers.items():
            for batch in batcher.add(index, cuts[geometries.index(crop)]):
                yield (crop, size), *batch
    for input_, batcher in batchers.items():
        if batcher.left:
            yield input_, *batcher.left


def predict_shared(
    source: HeatmapSource,
    people: People,
    protocol: Protocol,
    progress: Callable[[int], object],
    outputs_seen: Callable[[Indices, Float32], object] | None = None,
) -> Predictions:
    """Return the predictions for people with one source of heatmaps or of other outputs.

    Args:
        source: The source of outputs.
        people: N people.
        protocol: The crops, the decoder and the batch size.
        progress: As in `Estimator`.
        outputs_seen: As in `Estimator`.

    Raises:
        RunError: An image cannot be read, or the network's outputs are not finite numbers.
    """
    (outcome,) = predict_together([Estimator(source, protocol, progress, outputs_seen)], people)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


class _Batcher:
    """Cuts a stream of crops into batches of one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.left: tuple[Indices, Image] | None = None
        """A copy of the crops that do not fill a batch yet."""

    def add(self, index: Indices, crops: Image) -> Iterator[tuple[Indices, Image]]:
        """Add crops, and yield the batches that are now full."""
        if self.left:
            index, crops = np.concatenate([self.left[0], index]), np.concatenate([self.left[1], crops])
        full = len(index) // self._size * self._size
        for start in range(0, full, self._size):
            yield index[start : start + self._size], crops[start : start + self._size]
        self.left = (index[full:], crops[full:].copy()) if full < len(index) else None


class _Collector:
    """Collects one network's predictions.

    A batch's keypoints are fetched after the next batches have been launched, so that a GPU does not wait.

    Args:
        estimator: The network.
        people: All people.
        ahead: The number of batches to launch before a batch is fetched.
    """

    def __init__(self, estimator: Estimator, people: People, ahead: int) -> None:
        self._estimator = estimator
        self._people = people
        self._regions = crop_regions(people, estimator.protocol.crop)
        self._keypoints: Floating | None = None
        self._scores = np.empty((len(people), estimator.protocol.num_keypoints), np.float32)
        self._ahead = ahead
        self._pending: deque[tuple[Indices, Decoding]] = deque()

    def take(self, index: Indices, crops: torch.Tensor) -> None:
        """Run the network on a batch of crops [n, H, W, 3] and start to decode."""
        protocol = self._estimator.protocol
        outputs = self._estimator.forward(crops)
        if self._estimator.outputs_seen:
            self._estimator.outputs_seen(index, outputs.cpu().numpy())
        self._pending.append((index, begin_decoding(outputs, protocol.decoder, protocol.crop.input_size)))
        self.settle(self._ahead)

    def settle(self, left: int = 0) -> None:
        """Fetch launched batches until only `left` are not fetched.

        Raises:
            RunError: The outputs are not finite numbers.
        """
        while len(self._pending) > left:
            self._fetch(*self._pending.popleft())

    def _fetch(self, index: Indices, decoding: Decoding) -> None:
        keypoints, scores = decoding.result()
        if not np.isfinite(scores).all():  # the maximum of a heatmap with a NaN in it is NaN
            raise RunError(
                f"the network gives {codec_of(self._estimator.protocol.decoder).form} with values that are not finite "
                "numbers",
                "check its checkpoint; --precision fp16 has no numbers above 65504",
            )
        if self._keypoints is None:
            self._keypoints = np.empty((*self._scores.shape, 2), keypoints.dtype)
        input_size = self._estimator.protocol.crop.input_size
        self._keypoints[index] = _to_image(keypoints, self._regions, index, input_size)
        self._scores[index] = scores
        self._estimator.progress(len(index))

    def predictions(self) -> Predictions:
        """Return the predictions of all people."""
        assert self._keypoints is not None, "people are never empty: their readers check this"
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
    """Return keypoints [n, K, 2] mapped from px of the input to px of the image, in double precision.

    Both affines use this map, as in mmpose/models/pose_estimators/topdown.py `add_pred_to_datasample`.
    """
    sizes = regions.sizes[index, None]
    centers = regions.centers[index, None]
    moved: Floating = keypoints / np.array(input_size) * sizes + centers - np.float32(0.5) * sizes
    return moved
