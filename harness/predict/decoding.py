"""Decodes batches with the codec of a run: first by a fast path on the outputs' device, then exactly where needed.

Keypoints equal MMPose's within 0.01 px of the network's input. The fast path reads whole heatmaps only to find their
maxima, and marks the keypoints for which this suffices as certain. The other keypoints depend on MMPose's rounding or
clamping, and `Codec.decode` decodes them again on the host. They are few if heatmaps have peaks; heatmaps of pure noise
take about as long as with MMPose's codecs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.arrays import Bool, Float32, Floating
from harness.codecs.interface import Codec, FastPath, Located, codec_of
from harness.protocol import Decoder, Size


def decode(outputs: Tensor, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode a network's outputs [N, C, ...], heatmaps or others, with the protocol's codec.

    Args:
        outputs: Single precision, finite, on any device; they are not changed.
        decoder: The decoder of the outputs.
        input_size: Width and height of the network's input.

    Returns:
        Keypoints [N, K, 2] in px of the network's input, in double precision if MMPose's are, and scores [N, K].
    """
    return begin_decoding(outputs, decoder, input_size).result()


def begin_decoding(outputs: Tensor, decoder: Decoder, input_size: Size) -> "Decoding":
    """Start `decode` without waiting for a GPU, so that the caller can launch its next batch in the meantime."""
    assert outputs.dtype == torch.float32
    outputs = outputs.detach().contiguous()
    codec = codec_of(decoder)
    if outputs.device.type == "cpu":
        path = codec.on_cpu
        return Decoding(outputs, decoder, input_size, codec, path, path.observe(outputs, decoder) if path else (), None)
    path = codec.on_device
    # Non-blocking copies go to pinned memory. Other devices than CUDA have no event for the end of the copies.
    on_cuda = outputs.device.type == "cuda"
    with torch.inference_mode():
        values = path.observe(outputs, decoder) if path else ()
        observed = tuple(value.to("cpu", non_blocking=on_cuda) for value in values)
    observed_all = None
    if on_cuda:
        observed_all = torch.cuda.Event()  # type: ignore[no-untyped-call]
        observed_all.record(torch.cuda.current_stream(outputs.device))
    return Decoding(outputs, decoder, input_size, codec, path, observed, observed_all)


@dataclass(frozen=True)
class Decoding:
    """A running decoding. It refers to the outputs, which must not change before `result` returns."""

    outputs: Tensor
    decoder: Decoder
    input_size: Size
    _codec: Codec
    _path: FastPath | None
    _observed: tuple[Any, ...]
    """Tensors or arrays."""
    _observed_all: Any
    """The CUDA event after the copies; None on other devices."""

    def result(self) -> tuple[Floating, Float32]:
        """Return the results of `decode`; waits for this batch, but not for later launches."""
        points, scores = self._all()
        kept = self.decoder.kept
        return (points, scores) if kept is None else (points[:, list(kept)], scores[:, list(kept)])

    def _all(self) -> tuple[Floating, Float32]:
        """Return all keypoints and scores, also those that `decoder.kept` drops."""
        self._wait()
        if not self._path:
            return self._decode_all()
        located = self._located(self._path)
        channels = self._codec.channels
        count, num_keypoints = len(self.outputs), self.outputs.shape[1] // channels
        points = located.points.reshape(count, num_keypoints, 2)
        scores = located.scores.reshape(count, num_keypoints)
        if located.certain.all():
            return points, scores
        alone = ~located.certain.reshape(count, num_keypoints)
        if self._codec.whole_people:
            together = (scores <= 0).any(axis=1)
            alone &= ~together[:, None]
            if together.any():
                points[together], scores[together] = self._decode_exactly(self.outputs, together)
        if alone.any():
            each = self.outputs.view(-1, channels, *self.outputs.shape[2:])
            points[alone], scores[alone] = (values[:, 0] for values in self._decode_exactly(each, alone.reshape(-1)))
        return points, scores

    def locate(self) -> Located:
        """Return the fast path's results for all M keypoints of the network; only certain keypoints are correct."""
        assert self._path
        self._wait()
        return self._located(self._path)

    def _wait(self) -> None:
        if self._observed_all is not None:
            self._observed_all.synchronize()

    def _located(self, path: FastPath) -> Located:
        observed = (np.asarray(values) for values in self._observed)
        return path.locate(*observed, tuple(self.outputs.shape[:1:-1]), self.decoder, self.input_size)

    def _decode_all(self) -> tuple[Floating, Float32]:
        """Decode all outputs on the host."""
        if self.outputs.device.type == "cpu":
            return self._codec.decode(self.outputs.numpy(), self.decoder, self.input_size)
        return self._decode_exactly(self.outputs, np.ones(len(self.outputs), bool))

    def _decode_exactly(self, outputs: Tensor, chosen: Bool) -> tuple[Floating, Float32]:
        """Decode a part of outputs [N, ...] on the host; `chosen` is a mask [N]."""
        index = torch.from_numpy(np.flatnonzero(chosen))
        # On CUDA, use a separate stream: the current stream may first compute the caller's next batch.
        device = outputs.device
        stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            fetched = outputs.index_select(0, index.to(device)).cpu()
        return self._codec.decode(fetched.numpy(), self.decoder, self.input_size)
