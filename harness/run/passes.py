"""Passes: runs on the same people are predicted together, as many at a time as fit into a device's memory.

A pass is divided into tasks of some people each, which an executor does. The result of a task is stored as shards, so
that only unfinished tasks are repeated after a crash.
"""

import errno
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from harness.datasets.people import People
from harness.errors import RunError
from harness.files import content_key
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
"""The predictions and notes about their computation, or the error of a failed run."""

TRIES = 3
"""Number of attempts at work that may have failed by chance."""
TASK_SECONDS = 30.0
"""Target duration of a task in seconds; this much work is lost if a worker is lost."""
PASS_SECONDS = 60.0
"""Largest expected duration of the smallest task of a pass in seconds; if it is longer, the pass is divided."""
PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ENOMEM, errno.ENETUNREACH, errno.EHOSTDOWN}
"""System errors that may be temporary."""


def predict_in_passes(
    runs: Sequence[tuple[str, Plan, RunFolder]],
    people: People,
    executor: Executor,
    progress: RunProgress,
    task_seconds: float | None = None,
    image_content: str = "",
) -> Iterator[tuple[int, Outcome] | None]:
    """Predict runs that have the same people.

    Args:
        runs: Each run's name in progress messages, its plan and its folder.
        people: The people of all runs; their images must exist.
        executor: Does the work.
        progress: Receives the progress.
        task_seconds: Target duration of a task in seconds, at least one batch; None for `TASK_SECONDS`.
        image_content: A digest of the images. Shards that were predicted from other images are not used.

    Yields:
        Each run's index in `runs` and its outcome, pass by pass; None after each pass.

    Raises:
        RunError: The executor has no worker left.
    """
    block = math.lcm(*(plan.protocol.compute.batch_size for _, plan, _ in runs))
    networks = network_sizes([(plan.source, plan.config) for _, plan, _ in runs])
    waiting: list[RunInPass] = []
    for number, ((name, plan, folder), network) in enumerate(zip(runs, networks, strict=True)):
        store = ShardStore(folder.shards, content_key(plan.predictions_key, image_content), len(people))
        run = RunInPass(number, name, plan, folder, network, store, block)
        progress.advance(int(run.done.sum()))
        waiting.append(run)
    pace = 1.0
    if task_seconds is None:
        task_seconds = TASK_SECONDS
    while waiting:
        together = _fitting(waiting, WEIGHTS_SHARE * executor.free_memory(), block)
        waiting = waiting[len(together) :]
        current = _Pass(together, people, block, executor, progress, task_seconds, pace)
        yield from current.outcomes()
        yield None
        pace = current.pace
        waiting = [run for run in together if run.put_off] + waiting


def _fitting(waiting: Sequence[RunInPass], room: float, block: int) -> list[RunInPass]:
    """Return the next runs that fit into memory and, with a block of people each, `PASS_SECONDS`; at least one run."""
    fitting: list[RunInPass] = []
    seconds = 0.0
    for run in waiting:
        room -= 4 * run.network.parameters
        seconds += block * run.seconds
        if fitting and (room < 0 or seconds > PASS_SECONDS):
            break
        run.put_off = False
        fitting.append(run)
    return fitting


class _Pass:
    """Runs that are predicted together."""

    def __init__(
        self,
        runs: Sequence[RunInPass],
        people: People,
        block: int,
        executor: Executor,
        progress: RunProgress,
        task_seconds: float,
        pace: float,
    ) -> None:
        self._runs = {run.number: run for run in runs}
        self._people = people
        self._order = people.by_image()
        self._block = block
        self._executor = executor
        self._progress = progress
        self._task_seconds = task_seconds
        self.pace = pace
        """Ratio of measured to expected duration of tasks."""

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Do the work and yield each run's outcome."""
        self._compare_exactly()
        waiting = list(self._runs.values())
        for last in (False,) * (TRIES - 1) + (True,):  # shards that are damaged on reading are computed again
            self._compute()
            waiting = [run for run in waiting if not run.put_off]
            for run in sorted(waiting, key=lambda run: not run.failed):
                outcome = run.failed or run.assembled(self._order)
                if not outcome and last:
                    outcome = RunError("its shards are damaged repeatedly", "check the disk for errors")
                if outcome:  # yielded at once, because the predictions of all runs together may be large
                    waiting.remove(run)
                    yield run.number, outcome

    def _running(self) -> list[RunInPass]:
        return [run for run in self._runs.values() if not run.failed and not run.put_off]

    def _task(self, runs: Sequence[RunInPass], start: int, end: int, exact: bool = False) -> Task:
        numbers, plans = tuple(run.number for run in runs), tuple(run.plan for run in runs)
        return Task(numbers, plans, start, end, exact, torch.get_num_threads())

    def _of(self, task: Task) -> list[RunInPass]:
        return [self._runs[number] for number in task.runs]

    def _compare_exactly(self) -> None:
        """Predict a sample in exact precision for runs that use a faster precision."""
        few = len(sample(self._people))
        inexact = [run for run in self._runs.values() if not run.plan.protocol.compute.exact]
        if inexact:
            self._progress.stage(_called(inexact), "predict", few * len(inexact))
            self._do(deque([self._task(inexact, 0, few, exact=True)]))

    def _compute(self) -> None:
        tasks = self._missing()
        people = sum(len(task) * len(task.runs) for task in tasks)
        if people:
            self._progress.stage(_called(self._running()), "predict", people)
            self._do(tasks)

    def _missing(self) -> deque[Task]:
        """Return the tasks to do, in the order of the people; all runs of a task lack all its people."""
        running = self._running()
        total = len(self._people)
        tasks: deque[Task] = deque()
        for start in range(0, total, self._block):
            lacking = [run for run in running if not run.done[start]]
            task = self._task(lacking, start, min(start + self._block, total))
            if tasks and (tasks[-1].end, tasks[-1].runs) == (start, task.runs):
                tasks[-1] = replace(tasks[-1], end=task.end)
            elif lacking:
                tasks.append(task)
        return tasks

    def _do(self, tasks: deque[Task]) -> None:
        """Let the executor do tasks of suitable size, and store their results."""
        under_way = 0
        while True:
            while tasks and under_way < self._executor.depth:
                task = self._cut(tasks)
                task = task.of([run.number for run in self._running()])
                if task.runs:
                    self._executor.submit(task)
                    under_way += 1
            if not under_way:
                return
            task, results = self._executor.next()
            under_way -= 1
            if isinstance(results, Lost):
                tasks.extendleft(self._again(task, results))
            else:
                for run, result in zip(self._of(task), results, strict=True):
                    if self._take(run, task, result):
                        tasks.appendleft(task.of([run.number]))
                self._learn(task, results)

    def _cut(self, tasks: deque[Task]) -> Task:
        """Take the next task, limited to a size that a worker does within the target duration."""
        task = tasks.popleft()
        if task.exact:
            return task
        a_person = self.pace * sum(run.seconds for run in self._of(task))
        blocks = int(min(self._task_seconds / (a_person * self._block), len(self._people)))
        if self._executor.workers > 1:  # smaller towards the end, so that all workers finish at about the same time
            left = sum(map(len, tasks)) + len(task)
            blocks = min(blocks, left // (2 * self._executor.workers * self._block))
        middle = min(task.start + max(blocks, 1) * self._block, task.end)
        if middle < task.end:
            tasks.appendleft(replace(task, start=middle))
        return replace(task, end=middle)

    def _learn(self, task: Task, results: Sequence[Result]) -> None:
        """Update `pace` from the measured duration of a task."""
        shards = [result for result in results if isinstance(result, Shard)]
        if shards and len(shards) == len(task.runs):
            expected = len(task) * sum(run.seconds for run in self._of(task))
            self.pace = shards[0].notes.predict_seconds / expected

    def _again(self, task: Task, lost: Lost) -> Iterator[Task]:
        """Return the tasks to repeat after a worker was lost; runs are divided, as one of them may be the cause."""
        runs = self._of(task)
        for run in runs:
            run.folder.note(f"people {task.start} to {task.end} are lost: {lost}")
        if len(runs) > 1:
            half = len(runs) // 2
            yield task.of(task.runs[half:])
            yield task.of(task.runs[:half])
        else:
            (run,) = runs
            run.failures[task.start] += 1
            if run.failures[task.start] < TRIES:
                yield task
            else:
                run.failed = RunError(f"{TRIES} workers were lost during this run; the last one: {lost}")

    def _take(self, run: RunInPass, task: Task, result: Result) -> bool:
        """Store the result of a task for a run; return whether to try again."""
        if isinstance(result, Shard) and task.exact:
            run.exact = replace(result, predictions=in_place([result], sample(self._people).by_image()))
        elif isinstance(result, Shard):
            run.keep(result)
        elif isinstance(result, NoRoomError):
            run.put_off = True
        elif _may_pass(result) and run.failures[task.start] + 1 < TRIES:
            run.failures[task.start] += 1
            run.folder.note(f"trying again after {type(result).__name__}: {result}")
            time.sleep(run.failures[task.start])
            return True
        else:
            run.failed = result
        return False


def _may_pass(error: Exception) -> bool:
    """Return whether an error may be temporary."""
    causes = [error, error.__cause__]
    return any(isinstance(cause, MemoryError) or getattr(cause, "errno", None) in PASSING for cause in causes)


def _called(runs: Sequence[RunInPass]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
