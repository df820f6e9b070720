"""A run in a pass: what of it is there, how long the rest may take, and what it comes to in the end."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from harness.arrays import Bool, Indices
from harness.predictions import Predictions
from harness.record import Estimation, Network
from harness.run.plan import Plan
from harness.run.precision_effect import measure_effect
from harness.run.shards import Shard, ShardStore, covered
from harness.run_folder import RunFolder

OPERATIONS = {"cpu": 5e10, "cuda": 2e13}
"""A second that a thread of a CPU, or a GPU, is expected to do before it has been seen at work."""
OVERHEAD = 5e-4
"""Seconds a person that the rest is expected to take."""


@dataclass(eq=False)
class RunInPass:
    """One run of those that have the same people."""

    number: int
    name: str
    plan: Plan
    folder: RunFolder
    network: Network
    store: ShardStore
    block: int
    """People that batches of all runs begin with together."""
    done: Bool = field(init=False)
    """[N] people whose shards are kept, image by image."""
    held: list[Shard] = field(default_factory=list)
    """Shards that are not on disk."""
    exact: Shard | None = None
    """The sample, in the order in which its people were listed, where the run itself is not exact."""
    failures: Counter[int] = field(default_factory=Counter)
    """That may have been chance, by the first of the people."""
    failed: Exception | None = None
    put_off: bool = False
    """It does not fit beside the others of the pass."""

    def __post_init__(self) -> None:
        self.done = self._there(self.store.load())

    @property
    def seconds(self) -> float:
        """What a person is expected to take."""
        compute, flips = self.plan.protocol.compute, 2 if self.plan.protocol.flip.enabled else 1
        kind = torch.device(compute.device).type
        threads = torch.get_num_threads() if kind == "cpu" else 1
        return flips * self.network.gflop * 1e9 / (OPERATIONS.get(kind, OPERATIONS["cuda"]) * threads) + OVERHEAD

    def keep(self, shard: Shard) -> None:
        """Keep what a task gave, on disk where it is a part only."""
        self.done[shard.start : shard.end] = True
        try:
            if len(shard.predictions) < self.store.total:
                self.store.save(shard)
            else:
                self.held.append(shard)
        except OSError as error:
            self.folder.note(f"people {shard.start} to {shard.end} are kept in memory only: {error}")
            self.held.append(shard)
        self.folder.note(
            f"people {shard.start} to {shard.end} of {self.store.total}: {shard.notes.predict_seconds:.1f} s with "
            f"{shard.notes.together} runs on {shard.notes.worker}"
        )

    def assembled(self, order: Indices) -> tuple[Predictions, Estimation] | None:
        """Return the predictions and how they came about; None if shards are missing.

        Args:
            order: Where in the list of people the first, second ... image by image is [N].
        """
        shards = [*self.held, *self.store.load()]
        self.done = self._there(shards)
        if not self.done.all():
            return None
        predictions = in_place(shards, order)
        notes = [shard.notes for shard in shards]
        sampled = [self.exact.notes] if self.exact else []
        timings = {
            "network": sum(note.network_seconds for note in [*sampled, *notes]),
            "exact_forward": sum(note.forward_seconds for note in sampled),
            "predict": sum(note.predict_seconds for note in notes),
            "forward": sum(note.forward_seconds for note in notes),
        }
        return predictions, Estimation(
            timings={name: round(seconds, 3) for name, seconds in timings.items()},
            together=max(note.together for note in notes),
            warnings=list(dict.fromkeys(warning for note in notes for warning in note.warnings)),
            effect=measure_effect(self.plan, self.exact.predictions, predictions) if self.exact else None,
            network=self.network,
        )

    def _there(self, shards: Iterable[Shard]) -> Bool:
        """Return which people shards have, of blocks that are there as a whole: batches begin where blocks do."""
        there = covered([(shard.start, shard.end) for shard in shards], self.store.total)
        starts = np.arange(0, len(there), self.block)
        return np.repeat(np.logical_and.reduceat(there, starts), np.diff([*starts, len(there)]))


def in_place(shards: Sequence[Shard], order: Indices) -> Predictions:
    """Return the predictions of shards in the order in which the people were listed."""
    columns = {}
    for name, values in vars(shards[0].predictions).items():
        columns[name] = np.empty((len(order), *values.shape[1:]), values.dtype)
        for shard in shards:
            columns[name][order[shard.start : shard.end]] = getattr(shard.predictions, name)
    return Predictions(**columns)
