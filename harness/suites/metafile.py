"""Metafiles in MMPose's format (`metafile.yml`): the models of a paper with their configs, weights and results.

Values are kept as text, because the number of digits is part of the published value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from harness.errors import MALFORMED, SpecError, brief
from harness.suites.configs import configs_folder
from harness.suites.yaml_file import TooLargeError, check_nesting

_FORM = "a metafile has a list `Models`, each with Name, Config, Weights and Results (see MMPose's model-index.yml)"


@dataclass(frozen=True)
class MetafileResult:
    """The published results of a model on one data set."""

    dataset: str
    """The name as in the metafile, e.g. `Human-Art(GT)`."""
    metrics: Mapping[str, str]
    """Printed values by the metafile's own keys."""


@dataclass(frozen=True)
class MetafileModel:
    """One model of a metafile."""

    name: str
    config: Path
    """The config file; it need not exist."""
    stated_config: str
    """The config's path as in the metafile."""
    weights: str
    """The address of the checkpoint; empty if the metafile has none."""
    results: tuple[MetafileResult, ...]


def read_metafile(path: Path) -> list[MetafileModel]:
    """Return the models of a metafile; entries with the same config and weights are merged into one model.

    Raises:
        SpecError: The file cannot be read, or a field is missing or has another type; the message names file and field.
        ObtainError: MMPose is not installed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        check_nesting(text)
        data = yaml.load(text, yaml.CBaseLoader)
    except FileNotFoundError:
        raise SpecError(f"metafile {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"metafile {path} cannot be read: {error}") from error
    except TooLargeError as error:
        raise SpecError(f"metafile {path}:{error.line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"metafile {path} is not YAML: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("Models"), list):
        raise SpecError(f"metafile {path} has no list `Models`", _FORM)
    models: dict[tuple[Path, str], MetafileModel] = {}
    for index, entry in enumerate(data["Models"]):
        model = _model(path, f"Models[{index}]", entry)
        known = models.get((model.config, model.weights))
        models[model.config, model.weights] = replace(known, results=known.results + model.results) if known else model
    return list(models.values())


def _model(path: Path, where: str, entry: Any) -> MetafileModel:
    for field in ("Config", "Results"):
        if isinstance(entry, dict) and field not in entry:
            raise SpecError(f"metafile {path}: {where}: the field {field} is missing", _FORM)
    try:
        results = [
            MetafileResult(str(result["Dataset"]), {str(key): str(value) for key, value in result["Metrics"].items()})
            for result in entry["Results"]
        ]
        stated = str(entry["Config"])
        name = str(entry.get("Name") or Path(stated).stem)
        return MetafileModel(name, _config(path, stated), stated, str(entry.get("Weights") or ""), tuple(results))
    except MALFORMED as error:
        what = "a field is of another type, or its Results have no Dataset or Metrics"
        raise SpecError(f"metafile {path}: {where}: {what}: {brief(entry)}", _FORM) from error


def _config(metafile: Path, stated: str) -> Path:
    """Return a config's file; its path is relative to the repository's root or to the metafile's folder.

    If no such file exists, as for the outdated paths in mmpose's cpm_jhmdb.yml, return a file of this name beside the
    metafile; or else, as for a copied metafile, the path in the configs of the installed MMPose.
    """
    places = [folder / stated for folder in metafile.resolve().parents]
    beside = metafile.resolve().parent / Path(stated).name
    installed = configs_folder() / stated.removeprefix(f"{configs_folder().name}/")
    return next((path for path in (*places, beside, installed) if path.is_file()), beside)
