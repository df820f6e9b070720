"""Other heatmaps from the same forward passes. Other code uses them, and `harness explain` tries them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from harness.predict.forward import SharedForward, flip_tested
from harness.predict.sources.interface import HeatmapSource
from harness.protocol import Protocol

FLIP = "shift of the mirrored heatmaps"
Sides = tuple[torch.Tensor, torch.Tensor | None]


@dataclass(frozen=True)
class _Other:
    """Source of heatmaps: a function of the heatmaps of the crops and of the mirrored crops, and of the protocol."""

    shared: SharedForward
    protocol: Protocol
    function: Callable[[Sides, Protocol], torch.Tensor]

    @property
    def device(self) -> torch.device:
        return self.shared.device

    @torch.inference_mode()
    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        return self.function(self.shared.both(crops), self.protocol)


def _shifted_twice(sides: Sides, protocol: Protocol) -> torch.Tensor:
    plain, mirrored = sides
    assert mirrored is not None
    moved = mirrored.clone()  # a shift to the left here is a shift to the right after mirroring back
    moved[..., :-1] = mirrored[..., 1:]
    shifted = protocol.model_copy(update={"flip": protocol.flip.model_copy(update={"shift": True})})
    return flip_tested(plain, moved, shifted)


def _mirrored_only(sides: Sides, protocol: Protocol) -> torch.Tensor:
    _, mirrored = sides
    assert mirrored is not None
    return flip_tested(torch.zeros_like(mirrored), mirrored, protocol).mul_(2)


def _rounded(dtype: torch.dtype, sides: Sides, protocol: Protocol) -> torch.Tensor:
    return flip_tested(*sides, protocol).to(dtype).float()


def _tf32(inputs: torch.Tensor) -> torch.Tensor:
    """Round single precision, with fractions of 23 bits, to the nearest values of TF32, with fractions of 10 bits."""
    bits = inputs.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


def _cut_to_tf32(inputs: torch.Tensor) -> torch.Tensor:
    return (inputs.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)


ROUNDED_INPUTS: tuple[tuple[str, Callable[[torch.Tensor], torch.Tensor]], ...] = (
    ("half precision", lambda inputs: inputs.half().float()),
    ("bfloat16", lambda inputs: inputs.bfloat16().float()),
    ("TF32", _tf32),
    ("TF32, cut", _cut_to_tf32),
)
"""Roundings of the network's inputs, by name."""
Source = Callable[[SharedForward, Protocol], HeatmapSource]


def _source(function: Callable[[Sides, Protocol], torch.Tensor]) -> Source:
    return lambda shared, protocol: _Other(shared, protocol, function)


FLIPPED_HEATMAPS: tuple[tuple[str, str, str, Source], ...] = (
    (FLIP, "as run", "twice", _source(_shifted_twice)),
    ("flip test", "on", "the mirrored side alone", _source(_mirrored_only)),
)
"""For runs with a flip test: setting, value of the run, tried value, source of the heatmaps."""
ROUNDED_HEATMAPS: tuple[tuple[str, str, str, Source], ...] = (
    ("heatmaps", "single precision", "half precision", _source(partial(_rounded, torch.float16))),
    ("heatmaps", "single precision", "bfloat16", _source(partial(_rounded, torch.bfloat16))),
)
"""The same for all runs."""
