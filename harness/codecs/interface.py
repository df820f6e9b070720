"""The base class of codecs, and the look-up of a run's codec.

A codec decodes one tensor [N, C, ...] per batch, the outputs of a network. By default these are heatmaps.
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
    """M keypoints as located by a fast path."""

    points: Floating
    """[M, 2], px of the network's input."""
    scores: Float32
    """[M]"""
    certain: Bool
    """[M], whether MMPose's keypoint is surely the same; False where it depends on MMPose's rounding or clamping."""


class FastPath(NamedTuple):
    """The two halves of a fast path."""

    observe: Callable[[Tensor, Decoder], tuple[Any, ...]]
    """Reduces contiguous outputs [N, `channels` K, ...] to a few values per keypoint, on their device. Returns tensors,
    or arrays on a CPU."""
    locate: Callable[..., Located]
    """Locates the keypoints on the host. Arguments: the observed values as arrays; the outputs' dimensions after
    [N, C], last one first (for heatmaps: width, height); the decoder; the input's width and height."""


class Codec(ABC):
    """Decodes a network's outputs to keypoints.

    `decode` is exact: its results equal MMPose's to the last bit. Fast paths are optional: keypoints that they mark as
    not certain are decoded again by `decode`. Without a fast path `decode` decodes all keypoints.
    """

    name: str
    """The name in protocols and on pages."""
    channels: int = 1
    """Heatmaps per keypoint; they are consecutive."""
    has_heatmaps: bool = True
    """Whether the outputs are heatmaps of the decoder's size."""
    form: str = "heatmaps"
    """The kind of the outputs; codecs of the same form can decode the same networks."""
    flip_mode: str = "heatmap"
    """The name, in protocols, of the method that mirrors back the outputs for mirrored crops."""
    flip_mode_stated: bool = True
    """Whether MMPose's heads read the method from the field `flip_mode` of `model.test_cfg`; other heads have only one
    method."""
    shift_setting: tuple[str, bool] | None = ("shift_heatmap", False)
    """The field of `model.test_cfg` that shifts the mirrored outputs, and MMPose's default; None without a shift."""
    peak: float | None = 1.0
    """The typical peak height in the maps of a trained network's last convolution; None without such maps."""
    spread: tuple[float, float] | None = None
    """Mean and standard deviation of a trained network's coordinates; None if the last layer outputs none."""
    constants: tuple[str, ...] = ()
    """Name endings of the parameters of MMPose's heads that are constants, not weights."""
    kernels: tuple[int | None, ...] = (None,)
    """The blur kernels of MMPose's configs, px, which `explain` tries; None for a codec without a blur."""
    settings: Mapping[str, Any] | None = None
    """MMPose's settings in the configs of its tables, without the sizes; `bench` measures the speed with them. None if
    `bench` does not measure this codec."""
    steps: bool = False
    """Whether the decoder moves a keypoint by the sign of the difference between two neighbours of the maximum."""
    whole_people: bool = False
    """Whether `decode` reads other heatmaps of the same person where a maximum is not positive."""
    on_cpu: FastPath | None = None
    on_device: FastPath | None = None

    @abstractmethod
    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """Return the decoder that a config's `model.head.decoder` describes; None if it describes another codec."""

    def joined(self, given: Any) -> Tensor:
        """Return the part of the head's outputs that is decoded, as one tensor."""
        outputs: Tensor = given
        return outputs

    def parted(self, outputs: Tensor, decoder: Decoder) -> Any:
        """Return joined outputs in the form that MMPose's heads decode."""
        return outputs

    def drawn(self, people: int, keypoints: int, decoder: Decoder, input_size: Size) -> Float32:
        """Return random outputs [people, C, ...] like those of a trained network; the same on every call."""
        assert self.peak
        return draw_heatmaps(people, keypoints * self.channels, self.peak, decoder.map_size)

    def finished(self, outputs: Tensor) -> Tensor:
        """Return single-precision outputs in the form that a flip test averages; a copy if they change."""
        return outputs

    def mirrored_back(self, outputs: Tensor, protocol: Protocol) -> Tensor:
        """Return a mirrored-back copy of the finished outputs for mirrored crops."""
        return mirror_heatmaps(outputs, protocol)

    @abstractmethod
    def decode(self, outputs: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """Decode outputs [N, `channels` K, ...] on the host; results equal MMPose's to the last bit.

        Returns:
            Keypoints [N, K, 2] in px of the network's input, and scores [N, K]; all of them, also those that
            `decoder.kept` drops.
        """

    def searched(self, heatmaps: Float32, decoder: Decoder) -> Float32:
        """Return the maps [N, K, H, W] whose maxima are the keypoints, such as blurred heatmaps."""
        return heatmaps

    def unique(self, outputs: Float32, decoder: Decoder, share: float) -> Bool:
        """Return for each keypoint [N, K] whether its maximum is unique, so that rounding cannot move it far.

        Args:
            outputs: As in `decode`.
            decoder: The decoder of the outputs.
            share: A maximum is unique if the second-highest value is lower by more than this share of the maximum.
        """
        maps = self.searched(outputs, decoder)
        second, first = np.moveaxis(np.partition(maps.reshape(*maps.shape[:2], -1), -2)[..., -2:], -1, 0)
        return np.asarray(first - second > share * np.abs(first))

    def alternatives(self, used: Decoder) -> Iterator[Decoder]:
        """Yield decoders of this codec that `explain` tries in place of a run's decoder `used` of the same form."""
        for kernel in self.kernels if used.heatmap_size else ():
            yield self.decoder(used.map_size, kernel)

    def decoder(self, heatmap_size: Size, kernel: int | None = None) -> Decoder:
        """Return a decoder of this codec."""
        return Decoder(codec=self.name, heatmap_size=heatmap_size, blur_kernel_size=kernel)


def codec_of(decoder: Decoder) -> Codec:
    """Return the codec of a decoder.

    Raises:
        SpecError: No codec has the name `decoder.codec`.
    """
    codec: Codec = plugin("codecs", decoder.codec, "protocol field decoder.codec")
    return codec
