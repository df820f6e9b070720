"""Converts paths of MMPose's configs to paths in the data folder."""

from pathlib import PurePosixPath

DATA_ROOT = "data/"
"""The data folder in MMPose's configs."""


def in_data_folder(path: str) -> str:
    """Return a path of a config relative to the data folder."""
    return f"{PurePosixPath(path)}/".removeprefix(DATA_ROOT).rstrip("/")
