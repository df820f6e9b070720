"""Runs a network on its device: computes outputs from crops, exactly as MMPose does or faster.

`fp32` is exact: it uses the kernels, the layout and the batches of MMPose's own loop, so all bits are equal. The other
precisions are faster, and `run/precision_effect.py` measures their effect. `fp32-fast` sums in another order: norms are
folded into the convolutions, and both sides of the flip test are one batch. `tf32`, `bf16` and `fp16` compute with
fewer digits (`precision.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from harness.codecs.interface import codec_of
from harness.errors import RunError
from harness.predict.cuda_graph import Replays, recorder_for
from harness.predict.memory import is_out_of_memory
from harness.predict.networks import forward_head, normalise
from harness.predict.precision import PRODUCTS, arithmetic, cast_weights, check_precision, fold_norms
from harness.predict.sources.interface import HeatmapSource, Model
from harness.predict.stopwatch import Stopwatch
from harness.protocol import Precision, Protocol

_CPU_PIECE = 4
"""People per forward pass on a CPU; a small number keeps the features between layers in the caches."""
_SMALL = 2e6
"""Multiplications per layer and person, on average, below which `fp32-fast` gains nothing on a CPU. LiteHRNet has 7e5,
the next larger network of COCO's table (HRNet-w32) 3e7."""


class Forward:
    """Runs one network.

    Args:
        network: From `build_network`, with weights; it is moved to the device.
        protocol: The flip test, the batch size, the device, and the precision that `quicken` switches to.
    """

    def __init__(self, network: torch.nn.Module, protocol: Protocol) -> None:
        self._protocol = protocol
        self.device = torch.device(protocol.compute.device)
        self._network: Any = network.to(self.device)
        self._codec = codec_of(protocol.decoder)
        self._outputs: Callable[[torch.Tensor], torch.Tensor] = lambda inputs: self._codec.joined(
            forward_head(self._network, inputs)
        )
        self._format = torch.contiguous_format
        self._precision: Precision = "fp32"
        self._one_batch = False
        self._rounding: Callable[[torch.Tensor], torch.Tensor] | None = None
        self._piece = protocol.compute.batch_size
        self._replays = self._recording(exact=True)
        self._clock = Stopwatch(self.device)
        self.warnings: list[str] = []
        """Events that readers of the results should know, one sentence each."""

    @property
    def seconds(self) -> float:
        """Device time of all forward passes until now, s, including the flip test."""
        return self._clock.seconds

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return sum(t.numel() * t.element_size() for t in (*self._network.parameters(), *self._network.buffers()))

    @torch.inference_mode()
    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Return the outputs [n, C, ...] in single precision for crops [n, H, W, 3] BGR, including the flip test.

        Raises:
            RunError: The device does not have enough memory for one person.
        """
        plain, turned = self.both(crops, self._protocol.flip.enabled)
        with self._clock:
            return flip_tested(plain, turned, self._protocol)

    @torch.inference_mode()
    def both(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the network's outputs for crops and, if `mirrored`, for the mirrored crops.

        Out-of-memory errors are retried: this and all later passes then take half as many people.

        Raises:
            RunError: The device does not have enough memory for one person.
        """
        while True:
            try:
                with self._clock:
                    starts = range(0, len(crops), self._piece)
                    pieces = [self._sides(crops[i : i + self._piece], mirrored) for i in starts]
                    plain, *turned = (torch.cat(side) for side in zip(*pieces, strict=True))
                    return plain, turned[0] if mirrored else None
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                had, self._piece = self._piece, min(self._piece, len(crops)) // 2
            if self._piece == 0:
                raise RunError(
                    f"{self.device} does not have enough memory for one person",
                    "use another --device, or free its memory",
                )
            self.warnings.append(f"out of memory on {self.device}: later passes take {self._piece} people, not {had}")
            if self._replays:
                self._replays.forget()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def round_inputs(self, rounding: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
        """Round normalised inputs [n, 3, H, W] from now on, as in a computation with fewer digits; None: do not."""
        self._rounding = rounding

    def quicken(self) -> None:
        """Switch from exact single precision to the protocol's precision.

        Raises:
            UsageError: The device does not support that precision.
        """
        compute = self._protocol.compute
        check_precision(compute.precision, self.device)
        if compute.precision != "fp32":
            probe = self._probe()
            outputs, layer = self._measured(probe)
            if compute.precision == "fp32-fast" and self.device.type == "cpu" and layer < _SMALL:
                self.warnings.append(
                    "computed exactly: fp32-fast does not speed up networks with layers as small as these"
                )
            else:
                self._hasten(probe, outputs)
        if compute.compiled:
            compiled: Any = torch.compile(self._outputs, dynamic=False)
            self._outputs = compiled
        self._replays = self._recording(exact=compute.exact)

    def _recording(self, exact: bool) -> Replays | None:
        recorder = recorder_for(self.device, exact)
        compute = partial(self._computed, mirrored=self._protocol.flip.enabled)
        return Replays(compute, recorder, exact) if recorder else None

    def _hasten(self, probe: torch.Tensor, outputs: torch.Tensor) -> None:
        """Prepare fast computation without bit equality; a probe and its outputs show whether norms can be folded."""
        folded = fold_norms(self._network, probe, outputs, self._codec)
        if folded is None:
            self.warnings.append(
                f"norms are not folded into the convolutions: in this network that changes the {self._codec.form}"
            )
        else:
            self._network = folded
        self._one_batch = True
        self._precision = self._protocol.compute.precision
        cast_weights(self._network, self._precision)
        if self.device.type == "cpu":
            self._piece = min(self._piece, _CPU_PIECE)
        if self.device.type == "cpu" or self._precision != "fp32-fast":  # cuDNN's fp32 kernels like channels first
            self._format = torch.channels_last
            self._network.to(memory_format=torch.channels_last)

    def _probe(self) -> torch.Tensor:
        width, height = self._protocol.crop.input_size
        return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0)).to(self.device)

    @torch.no_grad()
    def _measured(self, probe: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Return a probe's outputs, and the mean number of multiplications per layer."""
        counts: list[float] = []
        hooks = [
            layer.register_forward_hook(lambda of, _, out: counts.append(out.numel() * of.weight[0].numel()))
            for layer in self._network.modules()
            if isinstance(layer, PRODUCTS)
        ]
        outputs = self._run(probe)
        for hook in hooks:
            hook.remove()
        return outputs, sum(counts) / len(counts) if counts else 0.0

    def _sides(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, ...]:
        """Return the outputs for crops and, if `mirrored`, for the mirrored crops; full batches use a CUDA graph."""
        if self._replays and len(crops) == self._piece and mirrored == self._protocol.flip.enabled:
            sides = self._replays(crops)
            if self._replays.failure:
                self.warnings.append(f"computed without a CUDA graph: {self._replays.failure}")
                self._replays = None
            return sides
        return self._computed(crops, mirrored)

    def _computed(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, ...]:
        inputs = normalise(self._network, crops, self._format)
        if self._rounding:
            inputs = self._rounding(inputs)
        if not mirrored:
            return (self._run(inputs),)
        if self._one_batch:
            return self._run(torch.cat([inputs, inputs.flip(-1)])).tensor_split(2)
        return self._run(inputs), self._run(inputs.flip(-1))

    def _run(self, inputs: torch.Tensor) -> torch.Tensor:
        with arithmetic(self._precision, self.device):
            outputs = self._outputs(inputs.contiguous(memory_format=self._format))
        return outputs.float()


class SharedForward:
    """A model for several protocols with the same crops and different flip tests; it computes each batch once."""

    def __init__(self, forward: Model) -> None:
        self._forward = forward
        self.device = forward.device
        self._crops: torch.Tensor | None = None
        self._both: tuple[torch.Tensor, torch.Tensor | None]

    def of(self, protocol: Protocol) -> HeatmapSource:
        """Return the source of outputs for a protocol."""
        return _SharedOutputs(self, protocol)

    def both(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As `Model.both`."""
        if crops is not self._crops:
            self._crops, self._both = crops, self._forward.both(crops, True)
        return self._both


@dataclass(frozen=True)
class _SharedOutputs:
    shared: SharedForward
    protocol: Protocol

    @property
    def device(self) -> torch.device:
        return self.shared.device

    @torch.inference_mode()
    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        return flip_tested(*self.shared.both(crops), self.protocol)


def flip_tested(outputs: torch.Tensor, mirrored: torch.Tensor | None, protocol: Protocol) -> torch.Tensor:
    """Return the mean of the outputs for crops and mirrored crops; without a flip test, the outputs for crops."""
    codec = codec_of(protocol.decoder)
    finished = codec.finished(outputs)
    if not protocol.flip.enabled:
        return finished
    assert mirrored is not None
    return codec.mirrored_back(codec.finished(mirrored), protocol).add_(finished).mul_(0.5)
