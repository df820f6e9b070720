"""Paths in the data folder, as MMPose's configs name them."""

from pathlib import PurePosixPath

DATA_ROOT = "data/"
"""What MMPose's configs call the data folder."""


def in_data_folder(path: str) -> str:
    """Turn a path of a config into one in the data folder."""
    return f"{PurePosixPath(path)}/".removeprefix(DATA_ROOT).rstrip("/")
