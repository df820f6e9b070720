"""Resolves a run before the work starts: its config, protocol, weights, and the keys that identify its content."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import torch
from mmengine.config import Config

from harness.assets.checkpoint_files import Identified, find_checkpoint, identify_checkpoint
from harness.assets.dataset import data_file
from harness.datasets.people import People, load_people
from harness.errors import UsageError, check_choice, check_whole
from harness.files import content_key
from harness.predict.revision import REVISION
from harness.predict.sources.interface import Model, ModelKind, model_kind
from harness.predict.sources.mmpose import Mmpose
from harness.predict.upstream_conditions import upstream_warp
from harness.protocol import Compute, Precision, Protocol
from harness.record import Weights
from harness.suites.configs import load_config
from harness.suites.ledger import image_folder, read_protocol
from harness.suites.overrides import stated
from harness.suites.schema import Row, Run, Suite

LARGE_BATCH = 128
"""Default people per batch on a GPU in faster precisions; smaller batches leave a large GPU idle in small networks."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run from the command line."""

    data: Path
    checkpoints: Path
    out: Path
    device: str
    seed: int | None = None
    """Seed of the weights that replace the checkpoints; None for checkpoints."""
    limit: int | None = None
    """Evaluate only the first N images; None for all."""
    engine: Literal["shared", "upstream"] = "shared"
    batch_size: int | None = None
    """People per batch; None for the config's own, or `LARGE_BATCH` on a GPU in a faster precision."""
    fetch: bool = False
    """Download missing files."""
    boxes: Path | None = None
    """A detector's boxes that replace the published ones."""
    trust_checkpoint: bool = False
    """Allow checkpoints to execute code."""
    precision: Precision = "fp32"
    compiled: bool = False
    """Compile the networks with torch.compile."""
    noise: bool = False
    """Also measure the noise floor of each run."""

    def __post_init__(self) -> None:
        """Check the values, of which some would only fail in the runs; raises a UsageError."""
        check_whole("limit", self.limit, 1, optional=True)
        check_whole("batch_size", self.batch_size, 1, optional=True)
        check_whole("seed", self.seed, 0, optional=True)
        check_choice("engine", self.engine, ("shared", "upstream"))
        check_choice("precision", self.precision, get_args(Precision))
        if self.engine == "upstream" and self.precision != "fp32":  # the record would state a precision not used
            raise UsageError(f"precision {self.precision} needs engine shared: MMPose's own loop computes in fp32")

    @classmethod
    def in_folder(cls, folder: Path, device: str, **fields: Any) -> Self:
        """Return settings of the shared engine with the same folder for data, checkpoints and output."""
        return cls(data=folder, checkpoints=folder, out=folder, device=device, **fields)

    @property
    def partial(self) -> bool:
        """Whether all runs are partial: not all images, or not the published weights."""
        return self.limit is not None or self.seed is not None


_people_read: dict[str, People] = {}
"""The people read last, by their content and place."""


@dataclass(frozen=True)
class Plan:
    """Everything that one run needs, found and identified."""

    spec: Run
    """The run as its row states it."""
    config: Config
    """The config with the row's overrides; paths are relative to MMPose's `data/`."""
    protocol: Protocol
    settings: Settings
    checkpoint: Identified | None
    """None for seeded weights."""
    weights: Weights
    predictions_key: str
    """Identifies the content that the predictions are made from."""
    score_key: str
    """Identifies the content that the metrics are made from."""

    @property
    def people_key(self) -> str:
        """Identifies the people and their images: plans with the same key have the same people."""
        people = self.protocol.model_dump(mode="json", include={"dataset", "annotations", "boxes", "limit"})
        return content_key(people, image_folder(self.config))

    def people(self) -> People:
        """Return the people to evaluate; does not check whether their images exist.

        Raises:
            ObtainError: Annotations or boxes are missing or malformed.
        """
        key = f"{self.people_key} {self.settings.data.absolute()}"
        if key not in _people_read:
            _people_read.clear()  # keeps the people of one data set only, to limit memory
            _people_read[key] = self._read_people()
        return _people_read[key]

    def _read_people(self) -> People:
        protocol, data = self.protocol, self.settings.data
        people = load_people(
            protocol.dataset,
            data / protocol.annotations.path,
            data / image_folder(self.config),
            data / protocol.boxes.file.path if protocol.boxes.file else None,
            protocol.boxes.score_threshold,
        )
        return people if protocol.limit is None else people.first_images(protocol.limit)

    def of_a_node(self) -> "Plan":
        """Return the plan with absolute paths, valid on any node with the same files and in any working directory."""
        data, checkpoint = self.settings.data.absolute(), self.checkpoint
        if checkpoint:
            checkpoint = replace(checkpoint, path=checkpoint.path.absolute())
        checkpoints = self.settings.checkpoints.absolute()
        return replace(self, settings=replace(self.settings, data=data, checkpoints=checkpoints), checkpoint=checkpoint)

    @property
    def source(self) -> ModelKind:
        """The plugin that builds the source of heatmaps."""
        return model_kind(self.spec)

    def model(self, protocol: Protocol | None = None) -> Model:
        """Build the source of heatmaps, with its weights, for the plan's protocol or another one.

        Raises:
            ObtainError: The checkpoint cannot be loaded, or belongs to another network.
        """
        return self.source.build(self.config, protocol or self.protocol, **self._weights_from())

    def network(self) -> torch.nn.Module:
        """Build MMPose's network, with its weights, for MMPose's own loop.

        Raises:
            ObtainError: The checkpoint cannot be loaded, or belongs to another network.
            UsageError: The heatmaps do not come from a network of MMPose.
        """
        if not isinstance(self.source, Mmpose):
            raise UsageError(f"MMPose's own loop cannot run the heatmap source {self.source.name!r}", "use our engine")
        return self.source.network(self.config, **self._weights_from())

    def _weights_from(self) -> dict[str, Any]:
        path = self.checkpoint.path if self.checkpoint else None
        return {"checkpoint": path, "seed": self.weights.seed, "trusted": self.settings.trust_checkpoint}


def run_config(suite: Suite, row: Row, run: Run, settings: Settings) -> Config:
    """Return a run's config with the row's overrides and the boxes that the command line names.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: The config does not exist or cannot be read.
    """
    config = load_config(suite, row, run)
    if settings.boxes is not None and row.boxes == "detector":
        config.test_dataloader.dataset.bbox_file = str(settings.boxes.absolute())
    return config


def make_plan(suite: Suite, row: Row, run: str, settings: Settings) -> Plan:
    """Find and identify everything that a run needs.

    Raises:
        SpecError: The config cannot be loaded, or asks for something that is not supported.
        ObtainError: Annotations, boxes or the checkpoint are missing, or the checkpoint has other content.
    """
    spec = row.runs[run]
    config = run_config(suite, row, spec, settings)
    compute = Compute(
        engine=settings.engine,
        precision=settings.precision,
        compiled=settings.compiled,
        batch_size=settings.batch_size or config.test_dataloader.batch_size,
        device=settings.device,
        warp=upstream_warp() if settings.engine == "upstream" else "opencv-4",
    )
    if not (settings.batch_size or compute.exact) and torch.device(settings.device).type == "cuda":
        compute = compute.model_copy(update={"batch_size": max(compute.batch_size, LARGE_BATCH)})
    protocol = read_protocol(config, lambda path, what: data_file(settings.data, path, what), settings.limit, compute)
    protocol = protocol.model_copy(update={"overrides": stated(row.overrides)})
    checkpoint, weights = _weights(spec, settings)
    estimated = protocol.model_dump(mode="json", exclude={"scoring", "overrides"})
    content = model_kind(spec).content(config)
    predictions_key = content_key(REVISION, content, weights.sha256, weights.seed, estimated)
    return Plan(
        spec=spec,
        config=config,
        protocol=protocol,
        settings=settings,
        checkpoint=checkpoint,
        weights=weights,
        predictions_key=predictions_key,
        score_key=content_key(predictions_key, protocol.scoring.model_dump(mode="json")),
    )


def _weights(spec: Run, settings: Settings) -> tuple[Identified | None, Weights]:
    if settings.seed is not None:
        return None, Weights(kind="seeded", seed=settings.seed)
    path = find_checkpoint(settings.checkpoints, spec.checkpoint)
    found = identify_checkpoint(path, spec.checkpoint)
    return found, Weights(
        kind="checkpoint",
        url=spec.checkpoint.url,
        sha256=found.sha256,
        size=found.size,
        trusted=settings.trust_checkpoint,
    )
