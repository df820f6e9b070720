"""What a codec is, and how the one of a run is found."""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.arrays import Bool, Float32, Floating
from harness.plugins import plugin
from harness.protocol import Decoder, Size

if TYPE_CHECKING:
    from torch import Tensor


class Located(NamedTuple):
    """Keypoints as a fast path finds them; M heatmaps."""

    points: Floating
    """[M, 2], px of the network's input."""
    scores: Float32
    """[M]"""
    certain: Bool
    """[M], whether MMPose's keypoint is the same: not where its rounding or one of its clamps decides."""


class FastPath(NamedTuple):
    """The two halves of a fast path."""

    observe: Callable[[Tensor, Decoder], tuple[Any, ...]]
    """Reduces contiguous heatmaps [N, `channels` K, H, W] to a few values a keypoint, on their device: tensors, or
    arrays on a CPU."""
    locate: Callable[..., Located]
    """Finds the keypoints on the host. Arguments: the observed values as arrays, the heatmaps' width and height, the
    decoder, and the width and height of the network's input."""


class Codec(ABC):
    """One way from heatmaps to keypoints.

    The exact form, `decode`, follows MMPose's arithmetic to the last bit. Fast paths are optional: a keypoint that they
    are not certain of is decoded by the exact form, and without a fast path all keypoints are.
    """

    name: str
    """In protocols, and on pages."""
    channels: int = 1
    """Heatmaps a keypoint, one after the other."""
    flip_mode: str = "heatmap"
    """MMPose's name for how mirrored heatmaps are mirrored back (`harness.protocol.Flip`)."""
    peak: float = 1.0
    """The height of a trained network's peak."""
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

    @abstractmethod
    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """Decode heatmaps [N, `channels` K, H, W] on the host as MMPose does, to the last bit.

        Returns:
            Keypoints [N, K, 2] in px of the network's input, and scores [N, K], whatever the decoder keeps of them.
        """

    def searched(self, heatmaps: Float32, decoder: Decoder) -> Float32:
        """Return the maps [N, K, H, W] whose maxima are the keypoints, such as blurred heatmaps."""
        return heatmaps

    def alternatives(self, heatmap_size: Size) -> Iterator[Decoder]:
        """Yield the decoders that `explain` tries in place of a run's."""
        for kernel in self.kernels:
            yield self.decoder(heatmap_size, kernel)

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
