"""Passes: runs on the same people are predicted together, as many at a time as a device's memory takes.

A pass is cut into tasks of some people each, for an executor to do. What a task gives is kept as shards, so that after
a death only the tasks under way are done again.
"""

import errno
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from harness.errors import RunError
from harness.predict.people import People
from harness.predictions import Predictions
from harness.record import Estimation
from harness.run.executors.base import Executor, Lost
from harness.run.plan import Plan
from harness.run.precision_effect import sample
from harness.run.progress import RunProgress
from harness.run.run_in_pass import RunInPass, in_place
from harness.run.shards import Shard, ShardStore
from harness.run.sizes import network_sizes
from harness.run.worker import WEIGHTS_SHARE, NoRoomError, Result, Task
from harness.run_folder import RunFolder

Outcome = tuple[Predictions, Estimation] | Exception
"""Predictions and how they came about, or what the run failed with."""

TRIES = 3
"""How often something is done that may have failed by chance."""
TASK_SECONDS = 30.0
"""What a task should take: so much work is lost with a worker."""
PASS_SECONDS = 60.0
"""What the smallest task of a pass may be expected to take; more, and there are several passes."""
PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ENOMEM, errno.ENETUNREACH, errno.EHOSTDOWN}
"""System errors that may be gone the next time."""

_Piece = tuple[int, int, tuple[RunInPass, ...]]
"""People from the first to before the second, and the runs that they are missing of."""


def predict_in_passes(
    runs: Sequence[tuple[str, Plan, RunFolder]],
    people: People,
    executor: Executor,
    progress: RunProgress,
    task_seconds: float | None = None,
) -> Iterator[tuple[int, Outcome] | None]:
    """Predict runs that have the same people.

    Args:
        runs: What the progress calls each run, its plan and its folder.
        people: The people of all of them, with their images there.
        executor: Does the work.
        progress: Told of each pass.
        task_seconds: What a task should take, of one batch at least; None for `TASK_SECONDS`.

    Yields:
        Each run's place in `runs` and its outcome; those of one pass come together, and None after them.

    Raises:
        RunError: The executor has no worker left.
    """
    block = math.lcm(*(plan.protocol.compute.batch_size for _, plan, _ in runs))
    networks = network_sizes([(plan.source, plan.config) for _, plan, _ in runs])
    waiting: list[RunInPass] = []
    for number, ((name, plan, folder), network) in enumerate(zip(runs, networks, strict=True)):
        store = ShardStore(folder.shards, plan.predictions_key, len(people))
        member = RunInPass(number, name, plan, folder, network, store, block)
        progress.advance(int(member.done.sum()))
        waiting.append(member)
    pace = 1.0
    if task_seconds is None:
        task_seconds = TASK_SECONDS
    while waiting:
        members = _fitting(waiting, WEIGHTS_SHARE * executor.free_memory(), block)
        waiting = waiting[len(members) :]
        current = _Pass(members, people, block, executor, progress, task_seconds, pace)
        yield from current.outcomes()
        yield None
        pace = current.pace
        waiting = [member for member in members if member.put_off] + waiting


def _fitting(waiting: Sequence[RunInPass], room: float, block: int) -> list[RunInPass]:
    """Return as many as weights have room for and a minute suffices for, one at least."""
    members: list[RunInPass] = []
    seconds = 0.0
    for member in waiting:
        room -= 4 * member.network.parameters
        seconds += block * member.seconds
        if members and (room < 0 or seconds > PASS_SECONDS):
            break
        member.put_off = False
        members.append(member)
    return members


class _Pass:
    """Runs that are predicted together."""

    def __init__(
        self,
        members: Sequence[RunInPass],
        people: People,
        block: int,
        executor: Executor,
        progress: RunProgress,
        task_seconds: float,
        pace: float,
    ) -> None:
        self._members = members
        self._people = people
        self._order = people.by_image()
        self._block = block
        self._executor = executor
        self._progress = progress
        self._task_seconds = task_seconds
        self.pace = pace
        """How many times longer than expected tasks take."""

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Do the work and yield each run's outcome."""
        self._compare_exactly()
        waiting = list(self._members)
        for last in (False,) * (TRIES - 1) + (True,):  # a shard that is damaged when it is read again is made again
            self._compute()
            waiting = [member for member in waiting if not member.put_off]
            for member in sorted(waiting, key=lambda member: not member.failed):
                outcome = member.failed or member.assembled(self._order)
                if not outcome and last:
                    outcome = RunError("its shards are damaged again and again", "make sure that the disk is sound")
                if outcome:  # handed over at once, for the predictions of all runs together may be large
                    waiting.remove(member)
                    yield member.number, outcome

    def _running(self) -> list[RunInPass]:
        return [member for member in self._members if not member.failed and not member.put_off]

    def _compare_exactly(self) -> None:
        """Predict a sample of runs that are not exact as if they were."""
        few = len(sample(self._people))
        inexact = tuple(member for member in self._members if not member.plan.protocol.compute.exact)
        if inexact:
            self._progress.stage(_called(inexact), "predict", few * len(inexact))
            self._do(deque([(0, few, inexact)]), exact=True)

    def _compute(self) -> None:
        pieces = self._missing()
        people = sum((end - start) * len(members) for start, end, members in pieces)
        if people:
            self._progress.stage(_called(self._running()), "predict", people)
            self._do(deque(pieces), exact=False)

    def _missing(self) -> list[_Piece]:
        """Return what is to be done, in the order of the people; the same runs lack people all through a piece."""
        members = self._running()
        total = len(self._people)
        pieces: list[_Piece] = []
        for start in range(0, total, self._block):
            lacking = tuple(member for member in members if not member.done[start])
            end = min(start + self._block, total)
            if pieces and pieces[-1][1:] == (start, lacking):
                pieces[-1] = (pieces[-1][0], end, lacking)
            elif lacking:
                pieces.append((start, end, lacking))
        return pieces

    def _do(self, pieces: deque[_Piece], exact: bool) -> None:
        """Have an executor do pieces of work, and keep what comes of it."""
        under_way: dict[int, _Piece] = {}
        while True:
            while pieces and len(under_way) < self._executor.depth:
                start, end, members = pieces.popleft() if exact else self._cut(pieces)
                members = tuple(member for member in members if member in self._running())
                if members:
                    task = Task(tuple(m.plan for m in members), start, end, exact, torch.get_num_threads())
                    under_way[id(task)] = start, end, members
                    self._executor.submit(task)
            if not under_way:
                return
            task, results = self._executor.next()
            piece = under_way.pop(id(task))
            if isinstance(results, Lost):
                pieces.extendleft(self._again(piece, results))
            else:
                start, end, members = piece
                for member, result in zip(members, results, strict=True):
                    if self._take(member, start, result, exact):
                        pieces.appendleft((start, end, (member,)))
                self._learn(piece, results)

    def _cut(self, pieces: deque[_Piece]) -> _Piece:
        """Take the next piece of work, of a size that a worker has done in time."""
        start, end, members = pieces.popleft()
        a_person = self.pace * sum(member.seconds for member in members)
        blocks = int(min(self._task_seconds / (a_person * self._block), len(self._people)))
        if self._executor.workers > 1:  # smaller to the end, so that all workers come to it together
            left = sum(piece[1] - piece[0] for piece in pieces) + end - start
            blocks = min(blocks, left // (2 * self._executor.workers * self._block))
        middle = min(start + max(blocks, 1) * self._block, end)
        if middle < end:
            pieces.appendleft((middle, end, members))
        return start, middle, members

    def _learn(self, piece: _Piece, results: Sequence[Result]) -> None:
        """Compare what was expected of a task's time with what it took."""
        start, end, members = piece
        shards = [result for result in results if isinstance(result, Shard)]
        if shards and len(shards) == len(members):
            expected = (end - start) * sum(member.seconds for member in members)
            self.pace = shards[0].notes.predict_seconds / expected

    def _again(self, piece: _Piece, lost: Lost) -> Iterator[_Piece]:
        """Return what to do after a worker was lost: of several runs, one may be what kills it, so they are parted."""
        start, end, members = piece
        for member in members:
            member.folder.note(f"people {start} to {end} are lost: {lost}")
        if len(members) > 1:
            half = len(members) // 2
            yield start, end, members[half:]
            yield start, end, members[:half]
        else:
            (member,) = members
            member.failures[start] += 1
            if member.failures[start] < TRIES:
                yield piece
            else:
                member.failed = RunError(f"{TRIES} workers were lost over it; the last time {lost}")

    def _take(self, member: RunInPass, start: int, result: Result, exact: bool) -> bool:
        """Keep what became of a run in a task; return whether to try again."""
        if isinstance(result, Shard) and exact:
            member.exact = replace(result, predictions=in_place([result], sample(self._people).by_image()))
        elif isinstance(result, Shard):
            member.keep(result)
        elif isinstance(result, NoRoomError):
            member.put_off = True
        elif _may_pass(result) and member.failures[start] + 1 < TRIES:
            member.failures[start] += 1
            member.folder.note(f"tried again after {type(result).__name__}: {result}")
            time.sleep(member.failures[start])
            return True
        else:
            member.failed = result
        return False


def _may_pass(error: Exception) -> bool:
    """Whether what failed may work the next time."""
    causes = [error, error.__cause__]
    return any(isinstance(cause, MemoryError) or getattr(cause, "errno", None) in PASSING for cause in causes)


def _called(members: Sequence[RunInPass]) -> str:
    return members[0].name if len(members) == 1 else f"{len(members)} runs"
