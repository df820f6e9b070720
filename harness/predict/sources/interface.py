"""Interfaces of sources of heatmaps, and of the classes that build them for a run."""

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
    """Computes heatmaps, or other outputs that the run's codec decodes, from crops."""

    @property
    def device(self) -> torch.device:
        """The device of the crops and of the outputs."""

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Return outputs [n, C, ...] for crops [n, H, W, 3] of BGR bytes, including the flip test.

        They are in single precision, in the form that the protocol's codec decodes, such as heatmaps [n, K, h, w].
        """


class Model(HeatmapSource, Interface):
    """The source of a run: a model with its weights on a device. It normalises the crops itself."""

    warnings: list[str]
    """Events that readers of the results should know, one sentence each."""

    @property
    def seconds(self) -> float:
        """Device time of its forward passes until now, s."""

    @property
    def bytes(self) -> int:
        """Size of its weights in memory."""

    def both(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the outputs for crops and, if `mirrored`, for the mirrored crops; these are not mirrored back."""

    def quicken(self) -> None:
        """Switch from exact single precision to the protocol's precision."""


class ModelSize(NamedTuple):
    """The size of a model."""

    parameters: int
    flop: int
    """Operations for one crop without the flip test; a multiplication and an addition count as two."""


class OtherConfig(NamedTuple):
    """A config with one other setting, for `explain`."""

    setting: str
    used: str
    tried: str
    usual: bool
    """Whether the tried value is MMPose's default."""
    config: Config


class ModelKind(Interface):
    """Builds the models of one kind."""

    name: str
    release: str
    """The version of the package that builds the models."""

    def content(self, config: Config) -> Any:
        """Return the parts of a config that heatmaps depend on, besides the weights, as a value for JSON."""

    def build(
        self, config: Config, protocol: Protocol, *, checkpoint: Path | None, seed: int | None, trusted: bool
    ) -> Model:
        """Return the model of a config on the protocol's device.

        Args:
            config: The config with the row's overrides.
            protocol: The flip test, the batch size, the device, and the precision that `quicken` switches to.
            checkpoint: The file of weights; None for seeded weights.
            seed: The seed of seeded weights.
            trusted: Whether loading the checkpoint may run code that the file contains.

        Raises:
            ObtainError: The checkpoint cannot be loaded, or is for another model.
            RunError: The model cannot be built.
        """

    def size(self, config: Config) -> ModelSize:
        """Return the size of a config's model, counted without weights."""

    def trial(self, config: Config, device: torch.device, precision: Precision, people: int) -> Callable[[], object]:
        """Return a function that runs one forward pass for `people` crops with arbitrary weights, to measure time."""

    def alternatives(self, config: Config) -> Iterator[OtherConfig]:
        """Yield configs that `explain` tries in place of a config."""


def model_kind(run: Run) -> ModelKind:
    """Return the kind of model named by a suite's run.

    Raises:
        SpecError: No kind has this name.
    """
    kind: ModelKind = plugin("heatmaps", run.heatmaps, "suite field heatmaps of a run")
    return kind
