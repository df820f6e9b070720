"""Shards: predictions for some people of a run, stored in its folder until the run is complete.

A shard's name contains the key of its content and the range of its people. Any process gives the same shard the same
name, so it need not be computed twice. The file begins with the sha256 of its remaining bytes.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool
from harness.errors import ObtainError
from harness.fields import Fields
from harness.files import atomic_path
from harness.predictions import Predictions

_NAME = re.compile(r"(\d+)-(\d+)-of-(\d+)\.shard")


class ShardNotes(Fields):
    """Notes about the computation of a shard."""

    worker: str
    """Device, process and node."""
    network_seconds: float
    """Seconds for building the network; 0 if it was already built."""
    predict_seconds: float
    """Seconds for all runs that were predicted together."""
    forward_seconds: float
    together: int
    """Number of runs that were predicted together."""
    warnings: list[str]


@dataclass(frozen=True)
class Shard:
    """Predictions of people `start` (included) to `end` (excluded), counted image by image (`People.by_image`)."""

    start: int
    end: int
    predictions: Predictions
    notes: ShardNotes


@dataclass(frozen=True)
class ShardStore:
    """The shards of one content of a run.

    Args:
        folder: Folder of all shards of the run.
        key: Identifies the content: the plan's `predictions_key` and the images.
        total: Number of the run's people.
    """

    folder: Path
    key: str
    total: int

    def save(self, shard: Shard) -> None:
        """Write a shard to its file."""
        arrays = io.BytesIO()
        np.savez(arrays, **vars(shard.predictions))
        body = shard.notes.model_dump_json().encode() + b"\n" + arrays.getvalue()
        with atomic_path(self._path(shard.start, shard.end)) as part:
            part.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    def load(self) -> Iterator[Shard]:
        """Yield the existing shards in order; a file with a wrong checksum is removed.

        Raises:
            ObtainError: A shard cannot be read.
        """
        for path, start, end, total in sorted(_listed(self._folder), key=lambda found: found[1:]):
            try:
                digest, _, body = path.read_bytes().partition(b"\n")
            except OSError as error:
                raise ObtainError(f"shard {path} cannot be read: {error.strerror}", "delete it") from error
            if total != self.total or digest.decode(errors="replace") != hashlib.sha256(body).hexdigest():
                path.unlink(missing_ok=True)
                continue
            notes, _, arrays = body.partition(b"\n")
            with np.load(io.BytesIO(arrays), allow_pickle=False) as columns:
                yield Shard(start, end, Predictions(**columns), ShardNotes.model_validate_json(notes))

    @property
    def _folder(self) -> Path:
        return self.folder / self.key[:16]

    def _path(self, start: int, end: int) -> Path:
        return self._folder / f"{start}-{end}-of-{self.total}.shard"


def covered(ranges: Sequence[tuple[int, int]], total: int) -> Bool:
    """Return [total] whether each person is in one of the ranges."""
    mask = np.zeros(total, bool)
    for start, end in ranges:
        mask[start:end] = True
    return mask


def share_done(folder: Path) -> float:
    """Return the share of a run's people whose shards are in a folder, for the content with the most people."""
    shares = [0.0]
    for content in folder.iterdir() if folder.is_dir() else ():
        ranges = [(start, end, total) for _, start, end, total in _listed(content)]
        if ranges:
            total = ranges[0][2]
            shares.append(float(covered([(start, end) for start, end, _ in ranges], total).mean()))
    return max(shares)


def _listed(folder: Path) -> Iterator[tuple[Path, int, int, int]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            start, end, total = map(int, match.groups())
            if start < end <= total:
                yield path, start, end, total
