"""The input of whole runs for both sides: rows with seeded checkpoints, and a data folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from harness.errors import UsageError
from harness.files import read_json, sha256_file, write_json
from harness.predict.sources.mmpose import PLUGIN
from harness.protocol import Scoring
from harness.run.plan import Plan, Settings, make_plan
from harness.suites.configs import load_config
from harness.suites.data_paths import without_data_root
from harness.suites.ledger import annotation_path, image_folder, point_at, protocol_without_files
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Checkpoint, Row, Suite

RUN = "val"
"""The only run of each of COCO's rows."""
SEED = 0
_HINT = "name an MMPose data/ folder with --data DIR"


@dataclass(frozen=True)
class WorkloadRow:
    """One row in the form that MMPose's test script needs."""

    id: str
    config: Path
    """MMPose's config with the row's overrides and with paths into the data folder."""
    checkpoint: Path
    scoring: Scoring


@dataclass(frozen=True)
class Workload:
    """Rows of COCO on a data folder; all paths are absolute."""

    suite: Path
    """A suite file with these rows only, with the checkpoints of the jobs."""
    data: Path
    images: int
    people: int
    jobs: tuple[WorkloadRow, ...]


@dataclass(frozen=True)
class Documents:
    """The two files of a data folder that define the people: annotations and boxes."""

    annotations: dict[str, Any]
    """Its images have absolute file names, so that it can be stored in another folder."""
    boxes: list[dict[str, Any]]

    @classmethod
    def read(cls, config: Config, data: Path) -> "Documents":
        """Read the files of a config.

        Raises:
            ObtainError: A file is missing.
        """
        annotations = read_json(data / annotation_path(config), "the annotation file", _HINT)
        boxes = read_json(data / _box_path(config), "the box file", _HINT)
        folder = data.absolute() / image_folder(config)
        images = [image | {"file_name": str(folder / image["file_name"])} for image in annotations["images"]]
        return cls({**annotations, "images": images}, boxes)

    def first_images(self, count: int) -> "Documents":
        """Keep the first images of the annotation file."""
        images = self.annotations["images"][:count]
        kept = {image["id"] for image in images}
        people = [annotation for annotation in self.annotations["annotations"] if annotation["image_id"] in kept]
        return Documents(
            {**self.annotations, "images": images, "annotations": people},
            [box for box in self.boxes if box["image_id"] in kept],
        )

    def write(self, config: Config, data: Path) -> None:
        """Write both files to the paths of a config."""
        write_json(data / annotation_path(config), self.annotations)
        write_json(data / _box_path(config), self.boxes)


def find_row(name: str) -> tuple[Suite, Row]:
    """Return one row of COCO, with its suite.

    Raises:
        UsageError: No row matches, or several do.
    """
    suite = load_suite("coco")
    rows = select_rows(suite, name)
    if len(rows) > 1:
        raise UsageError(f"{name} matches {len(rows)} rows, but one is needed", "name one row with --row ID")
    return suite, rows[0]


def plan_row(name: str, data: Path, images: int | None = None) -> Plan:
    """Return the plan of one row of COCO on the first `images` images, or all, with seeded weights.

    Raises:
        UsageError: No row matches, or several do.
        ObtainError: The annotation or box file is missing.
    """
    suite, row = find_row(name)
    settings = Settings.in_folder(data, "cpu", seed=SEED, limit=images)
    return make_plan(suite, row, RUN, settings)


def make_workload(
    rows: str, data: Path, images: int | None, scratch: Path, checkpoints: Path | None = None
) -> Workload:
    """Write checkpoints, configs and a suite into a scratch folder.

    Args:
        rows: Ids or patterns of rows of COCO, separated by commas.
        data: An MMPose data/ folder.
        images: Number of first images of the annotation file to use; None for all.
        scratch: An empty folder.
        checkpoints: A folder that keeps them for later workloads; None for `scratch`.

    Raises:
        UsageError: No row matches.
        ObtainError: The annotation or box file is missing.
    """
    suite = load_suite("coco")
    chosen = list({row.id: row for pattern in rows.split(",") for row in select_rows(suite, pattern)}.values())
    configs = [load_config(suite, row, row.runs[RUN]) for row in chosen]
    scratch, data = scratch.absolute(), data.absolute()
    documents = Documents.read(configs[0], data)
    if images is not None:
        documents, data = documents.first_images(images), scratch / "data"
        documents.write(configs[0], data)
    jobs, rows_with_checkpoints = [], []
    for row, config in zip(chosen, configs, strict=True):
        job = WorkloadRow(
            row.id,
            scratch / f"{row.id}.py",
            (checkpoints or scratch) / f"{row.id}.pth",
            protocol_without_files(config).scoring,
        )
        if not job.checkpoint.is_file():
            save_checkpoint(PLUGIN.network(config, seed=SEED), job.checkpoint)
        point_at(config, str(data)).dump(job.config)
        jobs.append(job)
        rows_with_checkpoints.append(with_checkpoint(row, describe_checkpoint(job.checkpoint)))
    written = write_suite(suite, rows_with_checkpoints, scratch / "suite.yaml")
    return Workload(written, data, len(documents.annotations["images"]), len(documents.boxes), tuple(jobs))


def save_checkpoint(network: torch.nn.Module, path: Path) -> Checkpoint:
    """Save a network's weights as MMPose does, and return their entry for a suite."""
    torch.save({"meta": {}, "state_dict": network.state_dict()}, path)
    return describe_checkpoint(path)


def describe_checkpoint(path: Path) -> Checkpoint:
    """Return the entry of an existing checkpoint for a suite."""
    return Checkpoint(url=path.as_uri(), sha256=sha256_file(path))


def with_checkpoint(row: Row, checkpoint: Checkpoint, config: str | None = None) -> Row:
    """Return a row whose run has another checkpoint, and another config if one is given."""
    run = row.runs[RUN]
    changed = run.model_copy(update={"checkpoint": checkpoint, "config": config or run.config})
    return row.model_copy(update={"runs": {RUN: changed}})


def write_suite(suite: Suite, rows: Sequence[Row], path: Path) -> Path:
    """Write a suite with some of its rows, and return its path."""
    changed = suite.model_copy(update={"rows": list(rows)})
    write_json(path, changed.model_dump(mode="json", exclude_unset=True))  # JSON is YAML
    return path


def _box_path(config: Config) -> str:
    return without_data_root(config.test_dataloader.dataset.bbox_file)
