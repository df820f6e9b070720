"""What MMPose knows of a data set's keypoints: names, mirror images, sigmas; read without importing MMPose or torch.

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
_FORM = "it is to be dict(from_file=...), which names a file with `dataset_info`, or that dict itself"


@dataclass(frozen=True)
class Metainfo:
    """The K keypoints of a data set."""

    names: tuple[str, ...]
    flip_indices: tuple[int, ...]
    """For each keypoint, the one that it becomes in a mirrored image."""
    sigmas: tuple[float, ...]
    """[K] OKS falloff, rounded to single precision as MMPose does; () where the data set states none."""
    source: str
    """Where it is stated, for messages."""
    dataset_name: str = ""
    """`dataset_name`, by which evaluators of MMPose know the data set; empty where it is not stated."""


def read_metainfo(dataset: Any) -> Metainfo:
    """Read the metainfo of a config's data set.

    Args:
        dataset: The config's `test_dataloader.dataset`.

    Raises:
        SpecError: The data set class is not one that is evaluated here, whatever its metainfo; or the metainfo cannot
            be read.
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
            f"without it, metainfo is not stated, so {name}'s {count} keypoints hold",
        )
    return _metainfo(stated, _FIELD)


def model_metainfo(config: Config) -> Metainfo | None:
    """Return the metainfo that a config's model states of its own keypoints, by which MMPose flips; None without one.

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
    """Read a metainfo file: as it is named, or, as MMPose does, the one of the same name among its own.

    Raises:
        SpecError: There is none, or it cannot be read; names the file and the field.
    """
    return _metainfo(_read(path), f"metainfo file {path}")


def own_metainfo(dataset: Mapping[str, Any]) -> Any:
    """Return the metainfo of a data set class, which holds if the config's `test_dataloader.dataset` names no other.

    Raises:
        SpecError: The data set is not one that is evaluated here, or has a setting that its class does not know.
    """
    found = plugin("datasets", str(dataset.get("type")), "config field test_dataloader.dataset.type")
    own = found.metainfo_of(dataset)
    return _read(f"configs/_base_/datasets/{own}.py") if isinstance(own, str) else own


def _read(path: str) -> Any:
    if not isinstance(path, str):
        raise SpecError(f"{_FIELD}.from_file: found {brief(path)}; it is to be the path of a file")
    for candidate in (Path(path), configs_folder() / "_base_" / "datasets" / Path(path).name):
        if candidate.is_file():
            return _parsed(candidate.resolve(), candidate.stat().st_mtime_ns)
    raise SpecError(
        f"{_FIELD}.from_file: there is no {path}",
        "it is looked for beside the suite, beside the config, here, and among MMPose's configs/_base_/datasets",
    )


@cache
def _parsed(path: Path, _changed: int) -> Any:
    """Read a file once, for it takes mmengine longer than all else that is read of a row."""
    try:
        content = Config.fromfile(path)
    except Exception as error:  # the file is a program, which can fail in any way
        raise SpecError(f"metainfo file {path} cannot be read: {type(error).__name__}: {error}") from error
    if "dataset_info" not in content:
        raise SpecError(f"metainfo file {path}: `dataset_info` is missing; it is a dict with keypoint_info and sigmas")
    return content.dataset_info


def _metainfo(info: Any, source: str) -> Metainfo:
    """Check what is stated, of which `source` is the place, and return it."""
    for field, problem in _problems(info):  # the first one; those after it may not be readable
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
    """Yield the fields that are not as they must be, each with what is wrong."""
    if not isinstance(info, Mapping):
        yield "dataset_info", f"found {brief(info)}; it is a dict with keypoint_info and sigmas"
    keypoints = info.get("keypoint_info")
    if not isinstance(keypoints, Mapping) or not keypoints:
        found = "it is missing" if keypoints is None else f"found {brief(keypoints)}"
        yield "keypoint_info", f"{found}; it is a dict {{0: dict(name=..., swap=...), 1: ...}}, an entry a keypoint"
    count, numbers = len(keypoints), list(keypoints)
    if numbers != list(range(count)):
        first = next(found for found, wanted in zip(numbers, range(count), strict=True) if found != wanted)
        yield "keypoint_info", f"found the number {first!r}; keypoints are numbered from 0 to {count - 1}, in order"
    names: dict[str, int] = {}
    for number, keypoint in keypoints.items():
        name: Any = keypoint.get("name") if isinstance(keypoint, Mapping) else None
        if not isinstance(name, str) or not name:
            yield f"keypoint_info[{number}]", f"found {brief(keypoint)}; it is a dict with a `name`, a text"
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
        yield "sigmas", f"{found}; it is a list of {count} numbers, one a keypoint (COCO's are 0.025 to 0.107)"
    if len(sigmas) not in (0, count):
        yield "sigmas", f"found {len(sigmas)} for {count} keypoints; it has one number a keypoint"
    for number, sigma in enumerate(sigmas):
        if not isinstance(sigma, int | float | np.number) or not math.isfinite(sigma) or sigma <= 0:
            yield f"sigmas[{number}]", f"found {brief(sigma)}; it must be a number above 0"
