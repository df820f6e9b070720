"""SimCC: two vectors per keypoint, one for x and one for y; the positions of their maxima are the keypoint.

The outputs [N, K, w + h] have both vectors of a keypoint, one after the other; each is as long as the side of the
network's input times the split ratio. The score is the lower of the two maxima, without softmax.
The fast path compares unchanged values of the vectors, so each keypoint is certain and equals MMPose's to the last bit.
The visibility that RTMWHead's codec predicts is ignored, because no metric uses it.
Source: mmpose/codecs/simcc_label.py, utils/post_processing.py `get_simcc_maximum` (Li et al., ECCV 2022).
"""

from __future__ import annotations  # torch is imported where vectors are decoded, not where configs are read

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from harness.arrays import Bool, Float32, Floating, Indices
from harness.codecs.flipping import mirror_images, on_device
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.loops import INFINITE
from harness.codecs.msra import all_certain
from harness.errors import SpecError
from harness.protocol import Decoder, Protocol, Size

if TYPE_CHECKING:
    from torch import Tensor

_NOWHERE = np.int32(1 << 30)
"""More than any position in a vector."""
_SIGMA = 6.0
"""Standard deviation of the peaks of random vectors, in vector elements: MMPose's default."""


def vectors_of(outputs: Any, decoder: Decoder) -> tuple[Any, Any]:
    """Return the two vectors, [N, K, w] and [N, K, h], of outputs [N, K, w + h].

    Raises:
        ValueError: The length of the outputs is not that of the decoder's vectors.
    """
    across = _length_across(outputs, decoder)
    return outputs[..., :across], outputs[..., across:]


def _length_across(outputs: Any, decoder: Decoder) -> int:
    """Return the length of the first vector of outputs [N, K, w + h].

    Raises:
        ValueError: As for `vectors_of`.
    """
    assert decoder.simcc_lengths
    across, down = decoder.simcc_lengths
    if outputs.shape[-1] != across + down:
        raise ValueError(f"SimCC's outputs have {outputs.shape[-1]} values, but the decoder needs {across} + {down}")
    return across


def decode_simcc(outputs: Float32, decoder: Decoder) -> tuple[Float32, Float32]:
    """Decode outputs [N, K, w + h] to keypoints [N, K, 2], px of the network's input, and scores [N, K].

    If a vector has a NaN, the score is NaN; MMPose's score is a number if only the vector for y has one.
    """
    across = _length_across(outputs, decoder)
    assert decoder.simcc_split_ratio
    rows = np.ascontiguousarray(outputs).reshape(-1, outputs.shape[-1])
    points, scores = np.empty((len(rows), 2), np.float32), np.empty(len(rows), np.float32)
    decode_rows(rows, across, np.float32(decoder.simcc_split_ratio), points, scores)
    return points.reshape(*outputs.shape[:2], 2), scores.reshape(outputs.shape[:2])


def observe_simcc(outputs: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the first arguments of `locate_simcc`, on the outputs' device."""
    import torch

    index, values = [], []
    for vectors in vectors_of(outputs, decoder):
        highest = vectors.argmax(-1, keepdim=True)
        index.append(highest.flatten())
        values.append(vectors.gather(-1, highest).flatten())
    return torch.stack(index), torch.stack(values)


def locate_simcc(index: Indices, values: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from positions [2, M] and values [2, M] of the maxima along x and y."""
    assert decoder.simcc_split_ratio
    across, down = values
    scores = np.where((across > down) | np.isnan(down), down, across)
    points = index.T.astype(np.float32)
    points[scores <= 0] = -1
    points /= np.float32(decoder.simcc_split_ratio)
    return Located(points, scores, all_certain(len(scores)))


@njit(nogil=True, cache=True)
def decode_rows(rows, across, ratio, points, scores):  # type: ignore[no-untyped-def]
    """Decode both vectors of each keypoint.

    Args:
        rows: [M, w + h], contiguous.
        across: The length w of the first vector.
        ratio: Vector elements per pixel, in single precision.
        points: Output: the keypoints [M, 2], px of the network's input.
        scores: Output: the scores [M].
    """
    if len(rows) == 0:
        return
    bits = rows.view(np.int32)
    for axis in range(2):
        first, last = (0, across) if axis == 0 else (across, rows.shape[1])
        _, highest, largest = _search(bits[0, first:last], bits[0, first:last], np.int32(0))
        for i in range(len(rows)):
            # The next vector is read from memory while this one, which is in the cache, is searched.
            following = bits[min(i + 1, len(rows) - 1), first:last]
            place, highest_next, largest_next = _search(bits[i, first:last], following, highest)
            if highest <= 0 or largest > INFINITE:
                place = _first_maximum(rows[i, first:last])
            value = rows[i, first + place]
            if axis == 0 or scores[i] > value or np.isnan(value):
                scores[i] = value
            points[i, axis] = place
            highest, largest = highest_next, largest_next
    for i in range(len(rows)):
        if scores[i] <= 0:
            points[i] = -1
        points[i, 0] /= ratio
        points[i, 1] /= ratio


@njit(nogil=True, cache=True)
def _search(bits, following, value):  # type: ignore[no-untyped-def]
    """Search a vector, and measure the following one of the same length; both are read as integers.

    Returns:
        The index of the first element of `bits` that equals `value`; of the following vector, the highest number, or 0
        if no number is positive, and the largest absolute value.
    """
    place, highest, largest = _NOWHERE, np.int32(0), np.int32(0)
    for i in range(len(bits)):  # without `break`, and in a function of its own: else without vector instructions
        here = np.int32(i) if bits[i] == value else _NOWHERE
        place = here if here < place else place
        magnitude = np.int32(following[i] & 0x7FFFFFFF)
        highest = following[i] if following[i] > highest else highest
        largest = magnitude if magnitude > largest else largest
    return place, highest, largest


@njit(nogil=True, cache=True)
def _first_maximum(vector):  # type: ignore[no-untyped-def]
    """Return the position of the first NaN, or else of the first maximum."""
    place = 0
    for i in range(len(vector)):
        if np.isnan(vector[i]):
            return i
        if vector[i] > vector[place]:
            place = i
    return place


class Simcc(Codec):
    """MMPose's SimCCLabel without `use_dark`."""

    name = "simcc"
    has_heatmaps = False
    form = "vectors"
    flip_mode = "vectors"
    flip_mode_stated = False
    shift_setting = None
    peak = None
    settings = {"type": "SimCCLabel", "sigma": _SIGMA, "simcc_split_ratio": 2.0}
    on_device = FastPath(observe_simcc, locate_simcc)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`.

        Raises:
            SpecError: The config uses DARK's refinement of the maxima.
        """
        if settings["type"] != "SimCCLabel":
            return None
        if settings.get("use_dark"):
            raise SpecError("SimCCLabel: use_dark: it is not supported", "no config of MMPose has it; leave it out")
        ratio = float(settings.get("simcc_split_ratio", 2.0))
        across, down = (int(side * ratio) for side in settings["input_size"])
        return Decoder(codec=self.name, simcc_split_ratio=ratio, simcc_lengths=(across, down))

    def joined(self, given: Any) -> Tensor:
        """Return both vectors as one tensor [N, K, w + h]."""
        import torch

        return torch.cat(given, -1)

    def parted(self, outputs: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
        """Return both vectors, [N, K, w] and [N, K, h]."""
        return vectors_of(outputs, decoder)

    def mirrored_back(self, outputs: Tensor, protocol: Protocol) -> Tensor:
        """As `Codec.mirrored_back`: `flip_vectors` in mmpose/models/utils/tta.py."""
        turned = outputs.index_select(1, on_device(mirror_images(protocol), outputs.device))
        across, _ = vectors_of(turned, protocol.decoder)
        across.copy_(across.flip(-1))
        return turned

    def decode(self, outputs: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
        """As `Codec.decode`."""
        return decode_simcc(outputs, decoder)

    def unique(self, outputs: Float32, decoder: Decoder, share: float) -> Bool:
        """Return for each keypoint [N, K] whether the maxima of both vectors are unique."""
        across, down = (super(Simcc, self).unique(part, decoder, share) for part in vectors_of(outputs, decoder))
        return across & down

    def encoded(self, points: Floating, scores: Floating, decoder: Decoder) -> Float32:
        """Return outputs [N, K, w + h] that decode to the vector elements nearest to keypoints [N, K, 2].

        The vectors are Gaussians, as from `SimCCLabel.encode` without normalisation, with scores [N, K] as peaks.
        """
        assert decoder.simcc_lengths
        assert decoder.simcc_split_ratio
        drawn = []
        for axis, length in enumerate(decoder.simcc_lengths):
            centres = np.rint(points[..., axis, None] * decoder.simcc_split_ratio)
            drawn.append(scores[..., None] * np.exp(-((np.arange(length) - centres) ** 2) / (2 * _SIGMA**2)))
        outputs: Float32 = np.concatenate(drawn, axis=-1).astype(np.float32)
        return outputs

    def drawn(self, people: int, keypoints: int, decoder: Decoder, input_size: Size) -> Float32:
        """Return random vectors with peaks as high as RTMPose's, on noise of which half is below zero."""
        rng = np.random.default_rng(0)
        points = rng.uniform(0, np.array(input_size) - 1, (people, keypoints, 2))
        outputs = self.encoded(points, rng.uniform(0.5, 6, points.shape[:2]), decoder)
        return outputs + rng.normal(0, 0.05, outputs.shape).astype(np.float32)


PLUGIN = Simcc()
