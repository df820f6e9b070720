"""Shards: what is predicted of some people of a run, kept in its folder until the run is whole.

A shard's name has the content that it is made from and the people that it is of, so that it is the same whoever makes
it, and need not be made twice. Its file begins with the sha256 of all that follows.
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
    """How a shard came about."""

    worker: str
    """Device, process and node."""
    network_seconds: float
    """What building the network took, if that was done for this shard."""
    predict_seconds: float
    """Of all that was predicted together."""
    forward_seconds: float
    together: int
    """Runs that were predicted together."""
    warnings: list[str]


@dataclass(frozen=True)
class Shard:
    """Predictions of the people from `start` to before `end`, counted image by image (`People.by_image`)."""

    start: int
    end: int
    predictions: Predictions
    notes: ShardNotes


@dataclass(frozen=True)
class ShardStore:
    """The shards of one run's content.

    Args:
        folder: For all shards of the run.
        key: Names the content: the plan's `predictions_key` and the images.
        total: How many people the run has.
    """

    folder: Path
    key: str
    total: int

    def save(self, shard: Shard) -> None:
        """Keep a shard."""
        arrays = io.BytesIO()
        np.savez(arrays, **vars(shard.predictions))
        body = shard.notes.model_dump_json().encode() + b"\n" + arrays.getvalue()
        with atomic_path(self._path(shard.start, shard.end)) as part:
            part.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    def load(self) -> Iterator[Shard]:
        """Yield the shards that are there, in order; one whose content is not what was written is removed.

        Raises:
            ObtainError: A shard cannot be read.
        """
        for path, start, end, total in sorted(_listed(self._folder), key=lambda found: found[1:]):
            try:
                digest, _, body = path.read_bytes().partition(b"\n")
            except OSError as error:
                raise ObtainError(f"a shard cannot be read: {path}: {error.strerror}", "delete it") from error
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
    """Return which of so many people [N] ranges cover."""
    mask = np.zeros(total, bool)
    for start, end in ranges:
        mask[start:end] = True
    return mask


def share_done(folder: Path) -> float:
    """Return the share of the people of a run whose shards are in a folder, of the content that has most of them."""
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
