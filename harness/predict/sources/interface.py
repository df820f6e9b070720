"""What a source of heatmaps is, and what builds one for a run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from typing import Protocol as Interface

import torch
from mmengine.config import Config

from harness.plugins import plugin
from harness.protocol import Precision, Protocol
from harness.suites.schema import Run


class HeatmapSource(Interface):
    """What turns crops into heatmaps, or into what else the run's codec decodes."""

    @property
    def device(self) -> torch.device:
        """The device of the crops and of the outputs."""

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Return one tensor [n, C, ...] for crops [n, H, W, 3] BGR bytes, flip test included.

        Single precision; in the form that the codec of the protocol decodes, such as heatmaps [n, K, h, w].
        """


class Model(HeatmapSource, Interface):
    """The source of a run: a model with its weights on a device. It normalises the crops itself."""

    warnings: list[str]
    """What happened that a reader of the numbers should know."""

    @property
    def seconds(self) -> float:
        """What it has computed so far, in seconds of the device."""

    @property
    def bytes(self) -> int:
        """The memory of its weights."""

    def both(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the outputs for crops and, if asked for, for the mirrored crops, which are not mirrored back."""

    def quicken(self) -> None:
        """Turn from exact single precision to the precision of the protocol."""


class ModelSize(NamedTuple):
    """The size of a model."""

    parameters: int
    flop: int
    """Operations for one crop, a multiplication and an addition counting two; without the flip test."""


class OtherConfig(NamedTuple):
    """A config that differs in one setting, as `explain` names it."""

    setting: str
    used: str
    tried: str
    usual: bool
    """Whether what is tried is MMPose's default."""
    config: Config


class ModelKind(Interface):
    """Builds the models of one kind."""

    name: str
    release: str
    """The version of the code that models are built with."""

    def content(self, config: Config) -> Any:
        """Return what of a config decides about heatmaps, the weights aside, as JSON takes it."""

    def build(
        self, config: Config, protocol: Protocol, *, checkpoint: Path | None, seed: int | None, trusted: bool
    ) -> Model:
        """Build the model of a config on the protocol's device.

        Args:
            config: With the row's overrides.
            protocol: How to flip, how many people a batch, the device and the precision that `quicken` turns to.
            checkpoint: The file of weights; None for seeded weights.
            seed: Of seeded weights.
            trusted: Whether the checkpoint may run code of its own.

        Raises:
            ObtainError: The checkpoint cannot be loaded, or is another model's.
            RunError: The model cannot be built.
        """

    def size(self, config: Config) -> ModelSize:
        """Return the size of a config's model, counted without weights."""

    def trial(self, config: Config, device: torch.device, precision: Precision, people: int) -> Callable[[], object]:
        """Return one forward pass of so many crops with arbitrary weights, for a measurement of its time."""

    def alternatives(self, config: Config) -> Iterator[OtherConfig]:
        """Yield what `explain` tries in place of a config."""


def model_kind(run: Run) -> ModelKind:
    """Return the kind of source that a suite's run names.

    Raises:
        SpecError: There is none of this name.
    """
    kind: ModelKind = plugin("heatmaps", run.heatmaps, "suite field heatmaps of a run")
    return kind
