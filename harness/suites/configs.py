"""Finds and reads MMPose's configs without importing MMPose or torch."""

import difflib
import importlib.util
import posixpath
import warnings
from pathlib import Path
from typing import Any

from mmengine.config import Config

from harness.errors import ObtainError, SpecError
from harness.files import is_file
from harness.openmmlab import INSTALL
from harness.suites.data_paths import with_data_root
from harness.suites.overrides import evaluated_datasets, override
from harness.suites.schema import Row, Run, Suite

POOL = "CombinedDataset"
"""MMPose's class of several data sets that are evaluated as one."""


def configs_folder() -> Path:
    """Return the configs folder of the installed MMPose.

    Raises:
        ObtainError: MMPose is not installed, or is installed without its configs.
    """
    found = importlib.util.find_spec("mmpose")
    if found is None or found.origin is None:
        raise ObtainError("mmpose is not installed; its configs and metafiles come with it", INSTALL)
    package = Path(found.origin).parent
    folders = (package / ".mim" / "configs", package.parent / "configs")  # as installed, and in a checkout
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ObtainError(f"mmpose is installed in {package} without its configs, which should be in {folders[0]}")


def config_path(suite: Suite, run: Run) -> Path:
    """Return the file of a run's config: relative to the suite's file if it exists there, else to MMPose's configs.

    Raises:
        SpecError: The file exists in neither folder.
    """
    beside = [suite.path.parent / run.config] if suite.path else []
    candidates = [*beside, configs_folder() / run.config]
    for path in candidates:
        if path.is_file():
            return path
    known = [path.name for candidate in candidates for path in candidate.parent.glob("*.py")]
    close = difflib.get_close_matches(Path(run.config).name, dict.fromkeys(known))
    own = f" or to the suite's file {suite.path}" if suite.path else ""
    relative = f"the key `config` is relative to MMPose's configs folder{own}"
    hint = f"did you mean {' or '.join(close)}?" if close else relative
    raise SpecError(f"{suite.name}: there is no config {run.config}", hint)


def read_config(path: Path) -> Config:
    """Return the content of a config file, without running its custom imports.

    Raises:
        SpecError: The config cannot be read, or has no data set to evaluate.
    """
    try:
        with warnings.catch_warnings():
            # mmengine raises it when it looks for the package of a base such as mmpose::_base_/default_runtime.py.
            warnings.filterwarnings("ignore", "pkg_resources is deprecated")
            config = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is a program, which can raise any exception
        raise SpecError(f"config {path} cannot be read: {type(error).__name__}: {error}") from error
    for name in ("val_dataloader", "test_dataloader"):
        loader = config.get(name)
        if not isinstance(loader, dict) or not isinstance(loader.get("dataset"), dict):
            raise SpecError(f"config {path} has no {name}.dataset, which is needed for evaluation")
    return config


def read_run_config(suite: Suite, row: Row, run: Run) -> Config:
    """Return a run's config before the row's overrides.

    For a row with `evaluated_like`, it has the other config's evaluation; for a subset, the subset's annotation file,
    also in an evaluator that reads the file of its loader.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: A config does not exist or cannot be read.
    """
    config = read_config(config_path(suite, run))
    if row.evaluated_like is not None:
        other = read_config(config_path(suite, run.model_copy(update={"config": row.evaluated_like})))
        for field in ("val_dataloader", "test_dataloader", "val_evaluator", "test_evaluator"):
            config[field] = other[field]
    if row.runs_are == "subsets":
        annotations = with_data_root(suite.annotations(row, run))
        for loader, dataset in evaluated_datasets(config).items():
            former = annotation_file(dataset)
            dataset.ann_file = posixpath.relpath(str(annotations), dataset.get("data_root") or ".")
            evaluators = config.get(loader.replace("_dataloader", "_evaluator"))
            for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators]:
                if former and isinstance(evaluator, dict) and normal(evaluator.get("ann_file")) == former:
                    evaluator["ann_file"] = annotations
    return config


def load_config(suite: Suite, row: Row, run: Run) -> Config:
    """Return the config that a run evaluates: with the row's overrides and boxes, and the path of its metainfo's file.

    Raises:
        ObtainError: MMPose is not installed; or the row has `cannot_run`.
        SpecError: The config does not exist, cannot be read, or evaluates another annotation file than the row; or an
            override contradicts the row's boxes or does not match the config.
    """
    if row.cannot_run:
        raise ObtainError(f"{suite.row_id(row)} cannot be run: {row.cannot_run}")
    path = config_path(suite, run)
    config = read_run_config(suite, row, run)
    override(config, row.overrides)
    box_file = row_boxes(suite, row)
    for change in row.overrides:
        if change.field == "bbox_file" and normal(change.value) != box_file:
            raise SpecError(
                f"{suite.row_id(row)}: overrides: bbox_file is {change.value or 'null'}, but the boxes of the row are "
                f"{box_file or 'ground-truth'}",
                "remove the override; the key `boxes` of the row and of its dataset decide which boxes are evaluated",
            )
    complete(config, suite, row, path)
    evaluated, stated = annotation_file(config.test_dataloader.dataset), with_data_root(suite.annotations(row, run))
    if evaluated != stated:
        raise SpecError(
            f"config field test_dataloader.dataset.ann_file of {path}: it is {evaluated} below data_root, but the "
            f"annotations of {suite.row_id(row)} are {stated}",
            "name the same file in the config and in the suite, or add it to the row's `overrides`",
        )
    return config


def complete(config: Config, suite: Suite, row: Row, path: Path) -> None:
    """Set the row's boxes and the path of the metainfo's file in a config, in place.

    Args:
        config: The config with the row's overrides.
        suite: The suite, whose data set names the box file, and whose folder may contain the metainfo.
        row: The row, which selects a detector's boxes or the annotated ones.
        path: The config's file, whose folder may contain the metainfo, too.
    """
    box_file = row_boxes(suite, row)
    folders = [*([suite.path.parent] if suite.path else []), path.parent]
    for dataset in evaluated_datasets(config).values():
        if box_file is None:
            dataset.pop("bbox_file", None)
        else:
            dataset.bbox_file = box_file
        metainfo = dataset.get("metainfo")
        if isinstance(metainfo, dict) and isinstance(metainfo.get("from_file"), str):
            beside = (folder / metainfo["from_file"] for folder in folders)
            metainfo["from_file"] = str(next(filter(is_file, beside), metainfo["from_file"]))


def row_boxes(suite: Suite, row: Row) -> str | None:
    """Return the box file of a row in the form of configs; None for ground-truth boxes."""
    return with_data_root(suite.dataset_of(row).boxes) if row.boxes == "detector" else None


def annotation_file(dataset: Any) -> str | None:
    """Return the annotation file of a config's data set, joined with `data_root`; of several data sets, the first's."""
    dataset = first_part(dataset)
    return normal(posixpath.join(str(dataset.get("data_root") or ""), str(dataset.get("ann_file") or "")))


def first_part(dataset: Any) -> Any:
    """Return the first data set of MMPose's CombinedDataset; another data set unchanged."""
    parts = dataset.get("datasets")
    several = dataset.get("type") == POOL and isinstance(parts, list | tuple) and parts and isinstance(parts[0], dict)
    return parts[0] if several else dataset


def normal(path: Any) -> str | None:
    """Return a path of a config in normal form, so that paths of the same file are equal."""
    return posixpath.normpath(str(path)) if path else None
