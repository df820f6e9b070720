"""MMPose's metainfo of a data set's keypoints: names, mirror pairs, sigmas; read without importing MMPose or torch.

Source: mmpose/datasets/datasets/utils.py `parse_pose_metainfo` and the METAINFO of each data set class.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.errors import SpecError, brief
from harness.plugins import plugin
from harness.suites.configs import configs_folder
from harness.suites.yaml_file import did_you_mean

_FIELD = "config field test_dataloader.dataset.metainfo"
_FORM = "it must be dict(from_file=...), which names a file with `dataset_info`, or the dict `dataset_info`"


@dataclass(frozen=True)
class Metainfo:
    """The K keypoints of a data set."""

    names: tuple[str, ...]
    flip_indices: tuple[int, ...]
    """[K] for each keypoint, its counterpart in a mirrored image."""
    sigmas: tuple[float, ...]
    """[K] OKS falloff, rounded to single precision as in MMPose; () if the data set has none."""
    source: str
    """The place of the metainfo, for messages."""
    dataset_name: str = ""
    """`dataset_name`, which MMPose's evaluators use; empty if it is missing."""


def read_metainfo(dataset: Any) -> Metainfo:
    """Return the metainfo of a config's data set.

    Args:
        dataset: The config's `test_dataloader.dataset`.

    Raises:
        SpecError: The harness does not have the data set's class, even if metainfo is stated; or the metainfo cannot be
            read.
    """
    name = dataset.get("type")
    own = own_metainfo(dataset)
    stated = dataset.get("metainfo")
    if not stated and isinstance(stated, dict | None):
        return _metainfo(own, f"the metainfo of {name}")
    if not isinstance(stated, Mapping):
        raise SpecError(f"{_FIELD}: found {brief(stated)}; {_FORM}")
    if "from_file" in stated:
        return metainfo_of_file(stated["from_file"])
    if "keypoint_info" not in stated:
        count = len(_metainfo(own, f"the metainfo of {name}").names)
        raise SpecError(
            f"{_FIELD}: keypoints are not stated: it has {', '.join(map(str, stated))}, and neither from_file nor "
            f"keypoint_info; {_FORM}",
            f"leave metainfo out to use {name}'s {count} keypoints",
        )
    return _metainfo(stated, _FIELD)


def model_metainfo(config: Config) -> Metainfo | None:
    """Return the metainfo in a config's model, which MMPose uses for the flip test; None without one.

    Raises:
        SpecError: It cannot be read.
    """
    stated = config.model.get("metainfo")
    if stated is None:
        return None
    if isinstance(stated, Mapping) and "from_file" in stated:
        return metainfo_of_file(stated["from_file"])
    return _metainfo(stated, "config field model.metainfo")


def metainfo_of_file(path: str) -> Metainfo:
    """Return the metainfo of a file: that of the path or, as in MMPose, the file of the same name among MMPose's.

    Raises:
        SpecError: The file does not exist or cannot be read; names the file and the field.
    """
    return _metainfo(_read(path), f"metainfo file {path}")


def own_metainfo(dataset: Mapping[str, Any]) -> Any:
    """Return the metainfo of a data set class, the default for configs whose `test_dataloader.dataset` has none.

    Raises:
        SpecError: The harness does not have the class, or the class does not have a value of the settings.
    """
    found = plugin("datasets", str(dataset.get("type")), "config field test_dataloader.dataset.type")
    own = found.metainfo_of(dataset)
    return _read(f"configs/_base_/datasets/{own}.py") if isinstance(own, str) else own


def _read(path: str) -> Any:
    if not isinstance(path, str):
        raise SpecError(f"{_FIELD}.from_file: found {brief(path)}; it must be the path of a file")
    for candidate in (Path(path), configs_folder() / "_base_" / "datasets" / Path(path).name):
        if candidate.is_file():
            return _parsed(candidate.resolve(), candidate.stat().st_mtime_ns)
    raise SpecError(
        f"{_FIELD}.from_file: there is no {path}",
        "put it beside the suite, beside the config or in the current folder, or name a file of MMPose's "
        "configs/_base_/datasets",
    )


@cache
def _parsed(path: Path, _changed: int) -> Any:
    """Read a file once, since mmengine takes longer for it than for the rest of a row."""
    try:
        content = Config.fromfile(path)
    except Exception as error:  # the file is a program, which can raise any exception
        raise SpecError(f"metainfo file {path} cannot be read: {type(error).__name__}: {error}") from error
    if "dataset_info" not in content:
        raise SpecError(f"metainfo file {path}: `dataset_info` is missing; write a dict with keypoint_info and sigmas")
    return content.dataset_info


def _metainfo(info: Any, source: str) -> Metainfo:
    """Return the metainfo of a `dataset_info` after checking it; `source` is its place, for messages."""
    for field, problem in _problems(info):  # the first problem only; later ones may follow from it
        raise SpecError(f"{source}: {field}: {problem}")
    keypoints = info["keypoint_info"].values()
    names = [keypoint["name"] for keypoint in keypoints]
    return Metainfo(
        names=tuple(names),
        flip_indices=tuple(names.index(keypoint.get("swap") or keypoint["name"]) for keypoint in keypoints),
        sigmas=tuple(np.array(info["sigmas"], np.float32).tolist()),
        source=source,
        dataset_name=str(info.get("dataset_name") or ""),
    )


def _problems(info: Any) -> Iterator[tuple[str, str]]:
    """Yield the invalid fields, each with its problem."""
    if not isinstance(info, Mapping):
        yield "dataset_info", f"found {brief(info)}; it must be a dict with keypoint_info and sigmas"
    keypoints = info.get("keypoint_info")
    if not isinstance(keypoints, Mapping) or not keypoints:
        found = "it is missing" if keypoints is None else f"found {brief(keypoints)}"
        yield "keypoint_info", f"{found}; write a dict {{0: dict(name=..., swap=...), 1: ...}}, an entry per keypoint"
    count, numbers = len(keypoints), list(keypoints)
    if numbers != list(range(count)):
        first = next(found for found, wanted in zip(numbers, range(count), strict=True) if found != wanted)
        yield "keypoint_info", f"found the number {first!r}; number the keypoints from 0 to {count - 1}, in order"
    names: dict[str, int] = {}
    for number, keypoint in keypoints.items():
        name: Any = keypoint.get("name") if isinstance(keypoint, Mapping) else None
        if not isinstance(name, str) or not name:
            yield f"keypoint_info[{number}]", f"found {brief(keypoint)}; it must be a dict with a `name`, a text"
        if name in names:
            yield f"keypoint_info[{number}].name", f"{name!r} is already the name of keypoint {names[name]}"
        names[name] = number
    for number, keypoint in keypoints.items():
        swap = keypoint.get("swap") or ""
        if swap and swap not in names:
            close = did_you_mean(str(swap), names)
            yield f"keypoint_info[{number}].swap", f"{swap!r} is not the name of a keypoint{close}"
    sigmas = info.get("sigmas")
    if not isinstance(sigmas, Sequence | np.ndarray) or isinstance(sigmas, str):
        found = "it is missing" if sigmas is None else f"found {brief(sigmas)}"
        yield "sigmas", f"{found}; it must be a list of {count} numbers, one per keypoint (COCO's are 0.025 to 0.107)"
    if len(sigmas) not in (0, count):
        yield "sigmas", f"found {len(sigmas)} for {count} keypoints; write one number per keypoint"
    for number, sigma in enumerate(sigmas):
        if not isinstance(sigma, int | float | np.number) or not math.isfinite(sigma) or sigma <= 0:
            yield f"sigmas[{number}]", f"found {brief(sigma)}; it must be a number above 0"
