"""What a codec is, and how the one of a run is found.

A codec decodes one tensor [N, C, ...] a batch, the outputs of a network: heatmaps, unless it says otherwise.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.arrays import Bool, Float32, Floating
from harness.codecs.drawn import draw_heatmaps
from harness.codecs.flipping import mirror_heatmaps
from harness.plugins import plugin
from harness.protocol import Decoder, Protocol, Size

if TYPE_CHECKING:
    from torch import Tensor


class Located(NamedTuple):
    """M keypoints as a fast path finds them."""

    points: Floating
    """[M, 2], px of the network's input."""
    scores: Float32
    """[M]"""
    certain: Bool
    """[M], whether MMPose's keypoint is the same: not where its rounding or one of its clamps decides."""


class FastPath(NamedTuple):
    """The two halves of a fast path."""

    observe: Callable[[Tensor, Decoder], tuple[Any, ...]]
    """Reduces contiguous outputs [N, `channels` K, ...] to a few values a keypoint, on their device: tensors, or
    arrays on a CPU."""
    locate: Callable[..., Located]
    """Finds the keypoints on the host. Arguments: the observed values as arrays, the outputs' size behind [N, C], the
    last dimension first (of heatmaps width and height), the decoder, and the input's width and height."""


class Codec(ABC):
    """One way from a network's outputs to keypoints.

    The exact form, `decode`, follows MMPose's arithmetic to the last bit. Fast paths are optional: a keypoint that they
    are not certain of is decoded by the exact form, and without a fast path all keypoints are.
    """

    name: str
    """In protocols, and on pages."""
    channels: int = 1
    """Heatmaps a keypoint, one after the other."""
    has_heatmaps: bool = True
    """Whether its outputs are heatmaps, of the size that its decoders have."""
    form: str = "heatmaps"
    """What the outputs are: codecs of one form decode the same networks."""
    flip_mode: str = "heatmap"
    """The name, in protocols, of how outputs for mirrored crops are mirrored back."""
    flip_mode_stated: bool = True
    """Whether MMPose's heads read it in the field `flip_mode` of `model.test_cfg`; the others know one way only."""
    shift_setting: tuple[str, bool] | None = ("shift_heatmap", False)
    """The field of `model.test_cfg` that shifts what is mirrored back, and MMPose's default; None without a shift."""
    peak: float | None = 1.0
    """The height of a trained network's peak, of the maps that its last convolution makes; None without such maps."""
    spread: tuple[float, float] | None = None
    """Mean and deviation of a trained network's coordinates, where its last layer gives some."""
    constants: tuple[str, ...] = ()
    """Ends of the names of parameters of MMPose's heads that are no weights."""
    kernels: tuple[int | None, ...] = (None,)
    """The blur kernels of MMPose's configs, px, which `explain` tries; None for a codec without a blur."""
    settings: Mapping[str, Any] | None = None
    """MMPose's settings in the configs of its tables, but for the sizes: `bench` measures the speed with them. None if
    it is not to be measured."""
    steps: bool = False
    """Whether a keypoint moves by the sign of a difference between two neighbours of the maximum."""
    whole_people: bool = False
    """Whether the exact form reads other heatmaps of the same person where a maximum is not positive."""
    on_cpu: FastPath | None = None
    on_device: FastPath | None = None

    @abstractmethod
    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """Return the decoder that a config's `model.head.decoder` describes; None if it describes another codec."""

    def joined(self, given: Any) -> Tensor:
        """Return as one tensor what of the head's outputs is decoded."""
        outputs: Tensor = given
        return outputs

    def parted(self, outputs: Tensor, decoder: Decoder) -> Any:
        """Return joined outputs as MMPose's heads decode them."""
        return outputs

    def drawn(self, people: int, keypoints: int, decoder: Decoder, input_size: Size) -> Float32:
        """Draw outputs [people, C, ...] like those of a trained network, the same on every call."""
        assert self.peak
        return draw_heatmaps(people, keypoints * self.channels, self.peak, decoder.map_size)

    def finished(self, outputs: Tensor) -> Tensor:
        """Return outputs in single precision as they are averaged in a flip test; a copy where they change."""
        return outputs

    def mirrored_back(self, outputs: Tensor, protocol: Protocol) -> Tensor:
        """Return a copy of finished outputs for mirrored crops, mirrored back."""
        return mirror_heatmaps(outputs, protocol)

    @abstractmethod
    def decode(self, outputs: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """Decode outputs [N, `channels` K, ...] on the host as MMPose does, to the last bit.

        Returns:
            Keypoints [N, K, 2] in px of the network's input, and scores [N, K], whatever the decoder keeps of them.
        """

    def searched(self, heatmaps: Float32, decoder: Decoder) -> Float32:
        """Return the maps [N, K, H, W] whose maxima are the keypoints, such as blurred heatmaps."""
        return heatmaps

    def unique(self, outputs: Float32, decoder: Decoder, share: float) -> Bool:
        """Return which keypoints [N, K] rounding does not move far: those of a maximum that is unique.

        Args:
            outputs: As `decode` takes them.
            decoder: How they are decoded.
            share: Of the maximum, by which the second-highest value is to be lower.
        """
        maps = self.searched(outputs, decoder)
        second, first = np.moveaxis(np.partition(maps.reshape(*maps.shape[:2], -1), -2)[..., -2:], -1, 0)
        return np.asarray(first - second > share * np.abs(first))

    def alternatives(self, used: Decoder) -> Iterator[Decoder]:
        """Yield the decoders that `explain` tries in place of a run's; those of a codec of the same form."""
        for kernel in self.kernels if used.heatmap_size else ():
            yield self.decoder(used.map_size, kernel)

    def decoder(self, heatmap_size: Size, kernel: int | None = None) -> Decoder:
        """Return a decoder of this codec."""
        return Decoder(codec=self.name, heatmap_size=heatmap_size, blur_kernel_size=kernel)


def codec_of(decoder: Decoder) -> Codec:
    """Return the codec of a decoder.

    Raises:
        SpecError: There is none of this name.
    """
    codec: Codec = plugin("codecs", decoder.codec, "protocol field decoder.codec")
    return codec
