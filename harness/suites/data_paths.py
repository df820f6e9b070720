"""Converts between paths in the data folder and paths of MMPose's configs."""

import posixpath
from pathlib import PurePosixPath

DATA_ROOT = "data/"
"""The data folder in MMPose's configs."""


def without_data_root(path: str) -> str:
    """Return a path of a config relative to the data folder."""
    return f"{PurePosixPath(path)}/".removeprefix(DATA_ROOT).rstrip("/")


def with_data_root(path: str | None) -> str | None:
    """Return a path of the data folder in the form of configs, which begins with `data/`."""
    return None if path is None else posixpath.normpath(posixpath.join(DATA_ROOT, path))
