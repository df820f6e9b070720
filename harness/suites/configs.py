"""MMPose's configs, found and read without importing MMPose or torch."""

import difflib
import importlib.util
import warnings
from pathlib import Path
from typing import Any

from mmengine.config import Config

from harness.errors import ObtainError, SpecError
from harness.openmmlab import INSTALL
from harness.suites.schema import Override, Row, Run, Suite


def configs_folder() -> Path:
    """Return the configs folder of the installed MMPose.

    Raises:
        ObtainError: MMPose is not installed, or without its configs.
    """
    found = importlib.util.find_spec("mmpose")
    if found is None or found.origin is None:
        raise ObtainError("mmpose is not installed; its configs and metafiles come with it", INSTALL)
    package = Path(found.origin).parent
    folders = (package / ".mim" / "configs", package.parent / "configs")  # as installed, and in a checkout
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ObtainError(f"mmpose is installed in {package} without its configs, which are to be in {folders[0]}")


def config_path(suite: Suite, run: Run) -> Path:
    """Return the file of a run's config: relative to the suite's file if it is there, else in MMPose's configs folder.

    Raises:
        SpecError: There is no such file in either place.
    """
    beside = [suite.path.parent / run.config] if suite.path else []
    candidates = [*beside, configs_folder() / run.config]
    for path in candidates:
        if path.is_file():
            return path
    close = difflib.get_close_matches(Path(run.config).name, [path.name for path in candidates[-1].parent.glob("*.py")])
    hint = f"did you mean {' or '.join(close)}?" if close else "the key `config` is relative to MMPose's configs folder"
    raise SpecError(f"{suite.name}: there is no config {run.config}", hint)


def read_config(path: Path) -> Config:
    """Read a config file as it is; what it would import is not imported.

    Raises:
        SpecError: The config cannot be read, or evaluates nothing.
    """
    try:
        with warnings.catch_warnings():
            # mmengine, on finding the package of a base such as mmpose::_base_/default_runtime.py.
            warnings.filterwarnings("ignore", "pkg_resources is deprecated")
            config = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is a program, which can fail in any way
        raise SpecError(f"config {path} cannot be read: {type(error).__name__}: {error}") from error
    for loader in ("val_dataloader", "test_dataloader"):
        if "dataset" not in (config.get(loader) or {}):
            raise SpecError(f"config {path} has no {loader}.dataset, so there is nothing to evaluate")
    return config


def evaluated_datasets(config: Config) -> dict[str, Any]:
    """Return the data set of each loader that evaluates, by the loader's name; they are separate copies."""
    return {loader: config[loader].dataset for loader in ("val_dataloader", "test_dataloader")}


def override(config: Config, overrides: list[Override]) -> None:
    """Apply a row's overrides to both evaluated data sets of a config, in place."""
    for dataset in evaluated_datasets(config).values():
        for change in overrides:
            if change.value is None:
                dataset.pop(change.field, None)
            else:
                dataset[change.field] = change.value


def load_config(suite: Suite, row: Row, run: Run) -> Config:
    """Return a run's config with the row's overrides.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: The config does not exist or cannot be read.
    """
    config = read_config(config_path(suite, run))
    override(config, row.overrides)
    return config
