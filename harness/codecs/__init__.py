"""From heatmaps to keypoints, a batch at a time: a fast path where the heatmaps are, one module a codec.

Equal to upstream within 0.01 px of the network's input. The fast path reads whole heatmaps only to find their maxima,
and knows for which keypoints that is enough. The others, where upstream's rounding or one of its clamps decides, are
decoded again on the host by the exact path (`exact/`), which follows upstream's arithmetic to the last bit. They are
few where heatmaps have peaks; heatmaps of nothing but noise take about as long as upstream's codecs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.arrays import Bool, Float32, Floating
from harness.codecs import dark, exact, udp
from harness.codecs.dark import locate_dark, observe_dark
from harness.codecs.heatmaps import Located
from harness.codecs.megvii import locate_found, locate_megvii, observe_megvii
from harness.codecs.msra import locate_msra, locate_stepped, observe_msra
from harness.codecs.on_cpu import observe_megvii_on_cpu, observe_msra_on_cpu, observe_neighbours_on_cpu
from harness.codecs.udp import locate_udp, observe_udp
from harness.protocol import Decoder, Size


class Codec(NamedTuple):
    """The two halves of a fast path."""

    observe: Callable[[Tensor, Decoder], tuple[Any, ...]]
    """Reduces contiguous heatmaps [N, K, H, W] to a few values each, on their device: tensors, or arrays on a CPU."""
    locate: Callable[..., Located]
    """Finds the keypoints from those values, on the host, where so little work costs less than its launches."""


ON_DEVICE = {
    "msra": Codec(observe_msra, locate_msra),
    "dark": Codec(observe_dark, locate_dark),
    "udp": Codec(observe_udp, locate_udp),
    "megvii": Codec(observe_megvii, locate_megvii),
}
ON_CPU = {
    "msra": Codec(observe_msra_on_cpu, locate_stepped),
    "dark": Codec(partial(observe_neighbours_on_cpu, reach=dark.REACH), locate_dark),
    "udp": Codec(partial(observe_neighbours_on_cpu, reach=udp.REACH), locate_udp),
    "megvii": Codec(observe_megvii_on_cpu, locate_found),
}


def decode(heatmaps: Tensor, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode heatmaps [N, K, H, W] with the protocol's codec.

    Args:
        heatmaps: Single precision, finite, on any device; they are not changed.
        decoder: How upstream decodes them.
        input_size: Width and height of the network's input.

    Returns:
        Keypoints [N, K, 2] in px of the network's input, double precision for UDP as upstream's, and scores [N, K].
    """
    return begin_decoding(heatmaps, decoder, input_size).result()


def begin_decoding(heatmaps: Tensor, decoder: Decoder, input_size: Size) -> "Decoding":
    """Start to decode as `decode` does, without waiting for a GPU: the caller can launch its next batch meanwhile."""
    assert heatmaps.dtype == torch.float32
    heatmaps = heatmaps.detach().contiguous()
    if heatmaps.device.type == "cpu":
        codec = ON_CPU[decoder.codec]
        return Decoding(heatmaps, decoder, input_size, codec, codec.observe(heatmaps, decoder), None)
    codec = ON_DEVICE[decoder.codec]
    # Copies that do not block go to pinned memory. Off CUDA nothing would tell when they are there.
    on_cuda = heatmaps.device.type == "cuda"
    with torch.inference_mode():
        observed = tuple(values.to("cpu", non_blocking=on_cuda) for values in codec.observe(heatmaps, decoder))
    observed_all = None
    if on_cuda:
        observed_all = torch.cuda.Event()  # type: ignore[no-untyped-call]
        observed_all.record(torch.cuda.current_stream(heatmaps.device))
    return Decoding(heatmaps, decoder, input_size, codec, observed, observed_all)


@dataclass(frozen=True)
class Decoding:
    """Heatmaps being decoded. It holds on to them; they must stay as they are until the result is there."""

    heatmaps: Tensor
    decoder: Decoder
    input_size: Size
    _codec: Codec
    _observed: tuple[Any, ...]
    """Tensors or arrays."""
    _observed_all: Any
    """CUDA's event for it, None elsewhere."""

    def result(self) -> tuple[Floating, Float32]:
        """Wait for the heatmaps of this batch, not for what was launched since, and return what `decode` does."""
        located = self.locate()
        count, num_keypoints, height, width = self.heatmaps.shape
        points = located.points.reshape(count, num_keypoints, 2)
        scores = located.scores.reshape(count, num_keypoints)
        if located.certain.all():
            return points, scores
        alone = ~located.certain.reshape(count, num_keypoints)
        if self.decoder.codec == "udp":  # reads other keypoints' heatmaps where a maximum is not positive
            together = (scores <= 0).any(axis=1)
            alone &= ~together[:, None]
            if together.any():
                points[together], scores[together] = self._decode_exactly(self.heatmaps, together)
        if alone.any():
            maps = self.heatmaps.view(-1, 1, height, width)
            points[alone], scores[alone] = (values[:, 0] for values in self._decode_exactly(maps, alone.reshape(-1)))
        return points, scores

    def locate(self) -> Located:
        """Return what the fast path finds of M = N K keypoints, right only where it is certain."""
        if self._observed_all is not None:
            self._observed_all.synchronize()
        height, width = self.heatmaps.shape[2:]
        observed = (np.asarray(values) for values in self._observed)
        return self._codec.locate(*observed, (width, height), self.decoder, self.input_size)

    def _decode_exactly(self, heatmaps: Tensor, chosen: Bool) -> tuple[Floating, Float32]:
        """Decode the chosen [N] of heatmaps [N, ...] on the host."""
        index = torch.from_numpy(np.flatnonzero(chosen))
        # On CUDA a stream of its own: the current one may have the caller's next batch to compute first.
        device = heatmaps.device
        stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            fetched = heatmaps.index_select(0, index.to(device)).cpu()
        return exact.decode(fetched.numpy(), self.decoder, self.input_size)
