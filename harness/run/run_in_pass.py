"""A run in a pass: its finished people, the expected time for the rest, and its assembled predictions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from harness.arrays import Bool, Indices
from harness.errors import counted
from harness.predictions import Predictions
from harness.record import Estimation, Network
from harness.run.plan import Plan
from harness.run.precision_effect import measure_effect
from harness.run.shards import Shard, ShardStore, covered
from harness.run_folder import RunFolder

OPERATIONS = {"cpu": 5e10, "cuda": 2e13}
"""Expected operations per second of one CPU thread and of one GPU, before a measurement exists."""
OVERHEAD = 5e-4
"""Expected seconds per person for everything except the network."""


@dataclass(eq=False)
class RunInPass:
    """One run of a group with the same people."""

    number: int
    name: str
    plan: Plan
    folder: RunFolder
    network: Network
    store: ShardStore
    block: int
    """Number of people after which batches of all runs begin together: a common multiple of the batch sizes."""
    done: Bool = field(init=False)
    """[N] whether each person's shard is stored, image by image."""
    held: list[Shard] = field(default_factory=list)
    """Shards in memory only."""
    exact: Shard | None = None
    """The sample in exact precision, in the order of its list of people; None for runs in exact precision."""
    failures: Counter[int] = field(default_factory=Counter)
    """Number of failures that may be temporary, by the index of a task's first person."""
    failed: Exception | None = None
    put_off: bool = False
    """Whether the run does not fit into memory together with the others of the pass."""

    def __post_init__(self) -> None:
        self.done = self._there(self.store.load())

    @property
    def seconds(self) -> float:
        """Expected seconds per person."""
        compute, flips = self.plan.protocol.compute, 2 if self.plan.protocol.flip.enabled else 1
        kind = torch.device(compute.device).type
        threads = torch.get_num_threads() if kind == "cpu" else 1
        return flips * self.network.gflop * 1e9 / (OPERATIONS.get(kind, OPERATIONS["cuda"]) * threads) + OVERHEAD

    def keep(self, shard: Shard) -> None:
        """Store the result of a task; on disk unless it is the whole run."""
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
            f"{counted(shard.notes.together, 'run')} on {shard.notes.worker}"
        )

    def assembled(self, order: Indices) -> tuple[Predictions, Estimation] | None:
        """Return the predictions and notes about their computation; None if shards are missing.

        Args:
            order: [N] positions in the list of people of the first, second, ... person in image-by-image order.
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
        """Return [N] whether shards cover each person, in complete blocks only, because batches begin with blocks."""
        there = covered([(shard.start, shard.end) for shard in shards], self.store.total)
        starts = np.arange(0, len(there), self.block)
        return np.repeat(np.logical_and.reduceat(there, starts), np.diff([*starts, len(there)]))


def in_place(shards: Sequence[Shard], order: Indices) -> Predictions:
    """Return the predictions of shards in the order of the list of people; `order` as in `assembled`."""
    columns = {}
    for name, values in vars(shards[0].predictions).items():
        columns[name] = np.empty((len(order), *values.shape[1:]), values.dtype)
        for shard in shards:
            columns[name][order[shard.start : shard.end]] = getattr(shard.predictions, name)
    return Predictions(**columns)
