"""Checkpoint files: found by their published name and verified by hash, without torch."""

import glob
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ObtainError, OtherFileError
from harness.files import sha256_file
from harness.suites.schema import Checkpoint


@dataclass(frozen=True)
class Identified:
    """A checkpoint file whose content is known."""

    path: Path
    sha256: str
    size: int
    """Bytes."""
    warnings: tuple[str, ...]


def find_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Return a published checkpoint's file: the path that its suite states, or a file in the folder or below it.

    Raises:
        ObtainError: No file has its name, or several with different content have it.
    """
    name = checkpoint.file_name
    if checkpoint.local:
        if not checkpoint.local.is_file():
            raise ObtainError(f"checkpoint does not exist: {checkpoint.local}", "correct the row's url")
        return checkpoint.local
    direct = folder / name
    try:
        if direct.is_file():
            return direct
        below = sorted(folder.rglob(glob.escape(name))) if folder.is_dir() else []
    except OSError as error:
        raise ObtainError(f"folder of checkpoints cannot be read: {folder}: {error.strerror}") from error
    if not below:
        raise ObtainError(
            f"checkpoint {name} is not in {folder}",
            f"download it from {checkpoint.url}, or name the folder that has it with --checkpoints DIR",
        )
    if len({sha256_file(path) for path in below}) > 1:
        raise ObtainError(f"different files are named {name}: {', '.join(map(str, below))}", "keep the right one")
    return below[0]


def identify_checkpoint(path: Path, checkpoint: Checkpoint) -> Identified:
    """Hash a checkpoint and compare it with the published hash.

    MMPose puts the first eight digits of the sha256 into the file's name.

    Raises:
        OtherFileError: The file differs from the published one.
        ObtainError: The file cannot be read.
    """
    try:
        sha256, size = sha256_file(path), path.stat().st_size
    except OSError as error:
        raise ObtainError(f"checkpoint cannot be read: {path}: {error.strerror}") from error
    warnings = []
    if checkpoint.sha256 and not sha256.startswith(checkpoint.sha256):
        stated = "the suite states" if checkpoint.local else "the published sha256 is"
        mismatch = f"checkpoint {path} has sha256 {sha256[: len(checkpoint.sha256)]}, but {stated} {checkpoint.sha256}"
        if not checkpoint.hash_is_stale:
            raise OtherFileError(mismatch, _mend(checkpoint, sha256))
        warnings.append(f"{mismatch}; this one may differ: {checkpoint.hash_is_stale}")
    return Identified(path, sha256, size, tuple(warnings))


def _mend(checkpoint: Checkpoint, sha256: str) -> str:
    if checkpoint.local:
        return f'if it is the right file, state in the suite: sha256: "{sha256[:16]}"; otherwise correct the row\'s url'
    return f"it is damaged or another file: move it elsewhere, and get the published one from {checkpoint.url}"
