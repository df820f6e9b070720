"""The data folder, which has the layout of MMPose's `data/`."""

from pathlib import Path

from harness.errors import ObtainError
from harness.files import sha256_file, sha256_folder
from harness.protocol import DataFile
from harness.suites.sources import source_of


def data_file(folder: Path, path: str, what: str) -> DataFile:
    """Return a file of the data folder with the sha256 of its content, or a folder with that of its JSON files.

    Args:
        folder: The data folder.
        path: The file, relative to the folder.
        what: Name of the file for error messages.

    Raises:
        ObtainError: The file is missing or unreadable.
    """
    try:
        found = folder / path
        return DataFile(path=path, sha256=sha256_folder(found, "*.json") if found.is_dir() else sha256_file(found))
    except OSError as error:
        raise ObtainError(
            f"{what} is missing: {folder / path} ({error.strerror})",
            f"{_how_to_get(path)}, or name the folder that has {path} with --data DIR",
        ) from error


def _how_to_get(path: str) -> str:
    """Return the next step for a missing file: a command if its data set is known, else "put it there"."""
    source = source_of(path)
    return f"obtain it with `harness fetch {source.sources.name}`" if source else "put it there"


def same_file(folder: Path, expected: DataFile, what: str) -> Path:
    """Return the path of a file that a saved protocol names, after comparing its content with the protocol's sha256.

    Raises:
        ObtainError: The file is missing, or its content differs from that of the run.
    """
    found = data_file(folder, expected.path, what)
    if found != expected:
        raise ObtainError(
            f"{what} is not the one that the run used: {folder / expected.path} has sha256 {found.sha256[:8]}, "
            f"the run had {expected.sha256[:8]}",
            "name the data folder of the run with --data DIR, or run again",
        )
    return folder / expected.path
