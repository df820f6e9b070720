"""Runs are scored side by side: a process each, where several have so many people that it pays.

Processes, not threads: scoring is many small steps of numpy, for each of which threads would wait for each other.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Self

from harness.predict.crop_stream import processors
from harness.predictions import Predictions
from harness.record import Estimation, Record
from harness.run.device import free_memory
from harness.run.job import Job
from harness.run.measure import Measures, measure
from harness.run.plan import Plan
from harness.run.process import leave_ends_to_parent
from harness.run.progress import RunProgress
from harness.run.to_record import begun, completed, failed, kept
from harness.suites.metainfo import read_metainfo

MANY = 20_000
"""People of a run from which on it is scored in a process of its own: that takes a second to start, they take two."""
MEMORY = 3 * 2**29
"""Bytes of free memory for each process; COCO's 104,125 people take 1.36 GB."""

Scored = tuple[Job, Plan, Record]
"""A run, its plan and its record."""


class Scorer:
    """Scores runs and saves their records; what goes wrong in a process is in the record of its run.

    Args:
        runs: How many there are at most.
        progress: Is told of each.
    """

    def __init__(self, runs: int, progress: RunProgress) -> None:
        self._several = runs > 1
        self._progress = progress
        self._pool: ProcessPoolExecutor | None = None
        self._under_way: dict[Future[Measures], Scored] = {}
        self._done: list[Scored] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def add(self, job: Job, plan: Plan, predictions: Predictions, estimation: Estimation) -> None:
        """Score predictions, which are in the run's folder, or have a process do it."""
        self._progress.stage(job.name, "score")
        record = begun(job, plan, predictions, estimation)
        if self._several and len(predictions) >= MANY:
            self._under_way[self._submitted(_measuring(job, plan))] = job, plan, record
        else:
            self._finish(job, plan, completed(record, _measuring(job, plan)(predictions=predictions), job))

    def again(self, job: Job, plan: Plan, estimation: Estimation) -> int:
        """Do the same for predictions of an earlier time, where their record does not hold; return its people."""
        if record := kept(job, plan):
            self._finish(job, plan, record)
            return record.people or 0
        plan.protocol.save(job.folder.protocol)  # whatever has become of it
        predictions = Predictions.load(job.folder.predictions)
        self.add(job, plan, predictions, estimation)
        return len(predictions)

    def done(self) -> Iterator[Scored]:
        """Wait for what was added, and yield it."""
        for future in as_completed(list(self._under_way)):
            job, plan, record = self._under_way.pop(future)
            try:
                try:
                    measures = future.result()
                except BrokenProcessPool:
                    again = "a process that scored died, perhaps for want of memory: scored once more, in the first one"
                    record = record.model_copy(update={"warnings": [*record.warnings, again]})
                    self._pool = None
                    measures = _measuring(job, plan)()
                self._finish(job, plan, completed(record, measures, job))
            except Exception as error:  # noqa: BLE001 (a bug on one run is recorded and leaves the others running)
                self._done.append((job, plan, failed(job, error)))
            yield from self._taken()
        yield from self._taken()

    def _submitted(self, work: "partial[Measures]") -> Future[Measures]:
        if self._pool is None:
            room = max(1, free_memory("cpu") // MEMORY)
            context = multiprocessing.get_context("spawn")  # threads and CUDA do not survive a fork
            self._pool = ProcessPoolExecutor(min(processors(), room), context, leave_ends_to_parent)
        try:
            return self._pool.submit(work)
        except BrokenProcessPool as error:
            broken: Future[Measures] = Future()
            broken.set_exception(error)
            return broken

    def _finish(self, job: Job, plan: Plan, record: Record) -> None:
        self._done.append((job, plan, job.folder.save_record(record)))

    def _taken(self) -> list[Scored]:
        done, self._done = self._done, []
        return done


def _measuring(job: Job, plan: Plan) -> "partial[Measures]":
    names = read_metainfo(plan.config.test_dataloader.dataset).names
    return partial(measure, job.folder, plan.protocol, job.settings.data, names)
