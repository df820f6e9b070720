"""What MMPose knows of a data set's keypoints: names, mirror images, sigmas; read without importing MMPose or torch.

Source: mmpose/datasets/datasets/utils.py `parse_pose_metainfo` and the METAINFO of each data set class.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.errors import SpecError
from harness.plugins import plugin
from harness.suites.configs import configs_folder


@dataclass(frozen=True)
class Metainfo:
    """The K keypoints of a data set."""

    names: tuple[str, ...]
    flip_indices: tuple[int, ...]
    """For each keypoint, the one that it becomes in a mirrored image."""
    sigmas: tuple[float, ...]
    """OKS falloff, rounded to single precision as MMPose does."""


def read_metainfo(dataset: Any) -> Metainfo:
    """Read the metainfo of a config's data set.

    Args:
        dataset: The config's `test_dataloader.dataset`.

    Raises:
        SpecError: The data set is not one that is evaluated here, or its metainfo cannot be read.
    """
    stated = dataset.get("metainfo") or {}
    if "keypoint_info" in stated:
        info = stated
    elif file := stated.get("from_file"):
        info = _read(file)
    else:
        info = own_metainfo(dataset.type)
    keypoints = [info["keypoint_info"][i] for i in range(len(info["keypoint_info"]))]
    names = [keypoint["name"] for keypoint in keypoints]
    return Metainfo(
        names=tuple(names),
        flip_indices=tuple(names.index(keypoint.get("swap") or keypoint["name"]) for keypoint in keypoints),
        sigmas=tuple(np.array(info["sigmas"], np.float32).tolist()),
    )


def own_metainfo(dataset: str) -> Any:
    """Return the metainfo of a data set class, which holds if its config names no other.

    Raises:
        SpecError: The data set is not one that is evaluated here.
    """
    own = plugin("datasets", dataset, "config field test_dataloader.dataset.type").metainfo
    return _read(f"configs/_base_/datasets/{own}.py") if isinstance(own, str) else own


def _read(path: str) -> Any:
    """Read a metainfo file: as it is named, or, as MMPose does, the one of the same name among its own."""
    for candidate in (Path(path), configs_folder() / "_base_" / "datasets" / Path(path).name):
        if candidate.is_file():
            return _parsed(candidate.resolve(), candidate.stat().st_mtime_ns)
    raise SpecError(f"config field test_dataloader.dataset.metainfo.from_file: there is no {path}")


@cache
def _parsed(path: Path, _changed: int) -> Any:
    """Read a file once, for it takes mmengine longer than all else that is read of a row."""
    return Config.fromfile(path).dataset_info
