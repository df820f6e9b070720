"""MMPose's networks as sources of heatmaps, with the weights of a checkpoint or of a seed."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from harness.assets.checkpoints import load_weights
from harness.predict.forward import Forward
from harness.predict.networks import (
    build_network,
    codec_of_config,
    count_flops,
    forward_head,
    without_initialisers,
)
from harness.predict.precision import arithmetic
from harness.predict.seeded import seed_weights
from harness.predict.sources.interface import Model, ModelSize, OtherConfig
from harness.protocol import Precision, Protocol
from harness.suites.decoding import heatmap_head

PIXELS = ("mean", 0.0), ("std", 1.0)
"""The fields of MMPose's PoseDataPreprocessor, with their defaults."""
NORMALISATIONS = {
    "ImageNet's": ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
    "0.5 and 0.5, of 0..1": ([127.5] * 3, [127.5] * 3),
    "0 and 1, of 0..1": ([0.0] * 3, [255.0] * 3),
    "0 and 1, of 0..255": ([0.0] * 3, [1.0] * 3),
    "ImageNet's mean, no std": ([123.675, 116.28, 103.53], [1.0] * 3),
}
"""Means and standard deviations of inputs by name."""


SCALES = {"of 0..255, pixels of 0..1": 255.0, "of 0..1, pixels of 0..255": 1 / 255}
"""Factors for a config's mean and standard deviation for another range of pixel values than the images'."""


class Mmpose:
    """Builds the pose estimator of an MMPose config."""

    name = "mmpose"

    @property
    def release(self) -> str:
        """As `ModelKind.release`."""
        return version("mmpose")

    def content(self, config: Config) -> Any:
        """As `ModelKind.content`."""
        return config.model.to_dict()

    def build(
        self, config: Config, protocol: Protocol, *, checkpoint: Path | None, seed: int | None, trusted: bool
    ) -> Model:
        """As `ModelKind.build`."""
        return Forward(self.network(config, checkpoint=checkpoint, seed=seed, trusted=trusted), protocol)

    def network(
        self, config: Config, *, checkpoint: Path | None = None, seed: int | None = None, trusted: bool = False
    ) -> torch.nn.Module:
        """Return the network on the CPU, as MMPose's own loop needs it. Arguments and errors are those of `build`."""
        with without_initialisers() if checkpoint else contextlib.nullcontext():
            network = build_network(config)
        if checkpoint:
            load_weights(network, checkpoint, trusted=trusted)
        else:
            assert seed is not None
            seed_weights(network, config, seed)
        return network

    def size(self, config: Config) -> ModelSize:
        """As `ModelKind.size`."""
        with without_initialisers():
            network = build_network(config).to("meta")
        flop = count_flops(network, _input_size(config))
        return ModelSize(sum(tensor.numel() for tensor in network.parameters()), flop)

    def trial(self, config: Config, device: torch.device, precision: Precision, people: int) -> Callable[[], object]:
        """As `ModelKind.trial`."""
        network = build_network(config).to(device)
        codec = codec_of_config(config)
        width, height = _input_size(config)
        crops = torch.zeros(people, 3, height, width, device=device)

        @torch.inference_mode()
        def forward() -> None:
            with arithmetic(precision, device):
                codec.joined(forward_head(network, crops)).cpu()

        return forward

    def alternatives(self, config: Config) -> Iterator[OtherConfig]:
        """Yield the config with the other order of colours, and with other means and standard deviations."""
        as_rgb = bool(config.model.data_preprocessor.get("bgr_to_rgb"))
        order = ("RGB", "BGR") if as_rgb else ("BGR", "RGB")
        yield OtherConfig("colours", *order, usual=not as_rgb, config=_preprocessed(config, bgr_to_rgb=not as_rgb))
        used = tuple(list(config.model.data_preprocessor.get(field) or [number] * 3) for field, number in PIXELS)
        for name, (mean, std) in NORMALISATIONS.items():
            if (mean, std) != used:
                other = _preprocessed(config, mean=mean, std=std)
                yield OtherConfig("mean and std", "the config's", name, usual=name == "ImageNet's", config=other)
        for name, factor in SCALES.items():
            mean, std = ([factor * number for number in numbers] for numbers in used)
            other = _preprocessed(config, mean=mean, std=std)
            yield OtherConfig("mean and std", "the config's", name, usual=False, config=other)
        if used[0] != used[0][::-1]:
            other = _preprocessed(config, mean=used[0][::-1], std=used[1][::-1])
            yield OtherConfig("mean and std", "the config's", "in the other order of colours", False, other)


PLUGIN = Mmpose()


def backbone(config: Config) -> str:
    """Return the class of a network's backbone, such as HRNet."""
    name: str = config.model.backbone.type
    return name


def architecture(config: Config) -> dict[str, Any]:
    """Return the parts of a config that a network's computation depends on; equal parts mean equal computation."""
    model: dict[str, Any] = config.model.to_dict()
    head = model["head"].get("pose_cfg", model["head"])
    decoder = head.pop("decoder")
    for part, field in ((model["head"], "loss"), (head, "loss"), (model["backbone"], "init_cfg")):
        part.pop(field, None)
    model.pop("test_cfg", None)
    return {"model": model, "input_size": list(decoder["input_size"])}


def _preprocessed(config: Config, **fields: Any) -> Config:
    other = copy.deepcopy(config)
    other.model.data_preprocessor.update(fields)
    return other


def _input_size(config: Config) -> tuple[int, int]:
    width, height = heatmap_head(config)[0].decoder.input_size
    return width, height
