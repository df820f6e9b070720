"""SimCC: two vectors per keypoint, one for x and one for y; the positions of their maxima are the keypoint.

The outputs [N, K, w + h] have both vectors of a keypoint, one after the other; each is as long as the side of the
network's input times the split ratio. The score is the lower of the two maxima, without softmax.
The fast paths compare unchanged values of the vectors, so each keypoint is certain and equals MMPose's to the last bit.
The visibility that RTMWHead's codec predicts is ignored, because no metric uses it.
Source: mmpose/codecs/simcc_label.py, utils/post_processing.py `get_simcc_maximum` (Li et al., ECCV 2022).
"""

from __future__ import annotations  # torch is imported where vectors are decoded, not where configs are read

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from harness.arrays import Bool, Float32, Floating, Indices
from harness.codecs.flipping import mirror_images, on_device
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.loops import INFINITE, first_place, highest_bits_of, largest_bits_of
from harness.codecs.msra import all_certain
from harness.errors import SpecError
from harness.protocol import Decoder, Protocol, Size

if TYPE_CHECKING:
    from torch import Tensor

_PART = 64
"""Number of values of a vector that are searched at once."""
_SIGMA = 6.0
"""Standard deviation of the peaks of random vectors, in vector elements: MMPose's default."""


def vectors_of(outputs: Any, decoder: Decoder) -> tuple[Any, Any]:
    """Return the two vectors, [N, K, w] and [N, K, h], of outputs [N, K, w + h].

    Raises:
        ValueError: The length of the outputs is not that of the decoder's vectors.
    """
    assert decoder.simcc_lengths
    across, down = decoder.simcc_lengths
    if outputs.shape[-1] != across + down:
        raise ValueError(f"SimCC's outputs have {outputs.shape[-1]} values, but the decoder needs {across} + {down}")
    return outputs[..., :across], outputs[..., across:]


def decode_simcc(outputs: Float32, decoder: Decoder) -> tuple[Float32, Float32]:
    """Decode outputs [N, K, w + h] to keypoints [N, K, 2], px of the network's input, and scores [N, K].

    If a vector has a NaN, the score is NaN; MMPose's score is a number if only the vector for y has one.
    """
    index, values = [], []
    for vectors in vectors_of(outputs, decoder):
        highest = vectors.argmax(axis=-1)
        index.append(highest)
        values.append(np.take_along_axis(vectors, highest[..., None], axis=-1)[..., 0])
    return _to_points(np.stack(index), np.stack(values), decoder)


def _to_points(index: Indices, values: Float32, decoder: Decoder) -> tuple[Float32, Float32]:
    """Return keypoints [..., 2] and scores [...] from positions [2, ...] and values [2, ...] of both maxima."""
    assert decoder.simcc_split_ratio
    across, down = values
    scores = np.where((across > down) | np.isnan(down), down, across)
    points = np.moveaxis(index, 0, -1).astype(np.float32)
    points[scores <= 0] = -1
    points /= np.float32(decoder.simcc_split_ratio)
    return points, scores


def observe_simcc(outputs: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the first arguments of `locate_simcc`, on the outputs' device."""
    import torch

    index, values = [], []
    for vectors in vectors_of(outputs, decoder):
        highest = vectors.argmax(-1, keepdim=True)
        index.append(highest.flatten())
        values.append(vectors.gather(-1, highest).flatten())
    return torch.stack(index), torch.stack(values)


def observe_simcc_on_cpu(outputs: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the first arguments of `locate_simcc` for outputs on a CPU."""
    vectors_of(outputs, decoder)
    assert decoder.simcc_lengths
    rows = outputs.numpy().reshape(-1, outputs.shape[-1])
    results = np.empty((2, len(rows)), np.intp), np.empty((2, len(rows)), np.float32)
    find_both_maxima(rows, decoder.simcc_lengths[0], *results)
    return results


def locate_simcc(index: Indices, values: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from positions [2, M] and values [2, M] of the maxima along x and y."""
    return Located(*_to_points(index, values, decoder), all_certain(index.shape[1]))


@njit(nogil=True, cache=True)
def find_both_maxima(rows, across, index, values):  # type: ignore[no-untyped-def]
    """Find the first maximum, or the first NaN, of both parts of each row.

    Args:
        rows: [M, w + h], contiguous.
        across: The length w of the first part.
        index: Output: the positions of the maxima [2, M].
        values: Output: the maxima [2, M].
    """
    bits = rows.view(np.int32)
    for i in range(len(rows)):
        index[0, i] = _place_of_maximum(rows[i, :across], bits[i, :across])
        index[1, i] = _place_of_maximum(rows[i, across:], bits[i, across:])
        values[0, i], values[1, i] = rows[i, index[0, i]], rows[i, across + index[1, i]]


@njit(nogil=True, cache=True)
def _place_of_maximum(vector, bits):  # type: ignore[no-untyped-def]
    highest, start = np.int32(0), 0
    for first in range(0, len(bits), _PART):  # part by part, so that only one part is searched for the position
        of_part = highest_bits_of(bits[first : first + _PART])
        if of_part > highest:
            highest, start = of_part, first
    if 0 < highest <= INFINITE and largest_bits_of(bits) <= INFINITE:
        return start + first_place(bits[start : start + _PART], highest)
    place = 0  # no value is positive, or there is a NaN
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
    on_cpu = FastPath(observe_simcc_on_cpu, locate_simcc)
    on_device = FastPath(observe_simcc, locate_simcc)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`.

        Raises:
            SpecError: The config uses DARK's refinement of the maxima.
        """
        if settings["type"] != "SimCCLabel":
            return None
        if settings.get("use_dark"):
            raise SpecError(
                "SimCCLabel: use_dark: it is not evaluated here", "no config of MMPose has it; leave it out"
            )
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
