"""Scores runs in parallel, with one process per run, if several runs have many people.

It uses processes instead of threads, because scoring consists of many short numpy calls that hold Python's global lock.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Self

from harness.errors import ObtainError
from harness.metrics.diagnosis.model import Diagnosis
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
from harness.run_folder import RunFolder, RunSpec
from harness.suites.metainfo import read_metainfo

MANY = 20_000
"""Runs with at least this many people are scored in a separate process: its start takes 1 s, their scoring 2 s."""
MEMORY = 3 * 2**29
"""Free memory required per process in bytes; scoring COCO's 104,125 people takes 1.36 GB."""

Scored = tuple[Job, Plan, Record]
"""A run, its plan and its record."""


class Scorer:
    """Scores runs and saves their records; an error in a process is recorded for its run.

    Args:
        runs: Maximum number of runs.
        progress: Receives the progress.
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
        """Score predictions, which are saved in the run's folder, here or in another process."""
        self._progress.stage(job.name, "score")
        record = begun(job, plan, predictions, estimation)
        if self._several and len(predictions) >= MANY:
            self._under_way[self._submitted(_measuring(job, plan))] = job, plan, record
        else:
            self._finish(job, plan, completed(record, _measuring(job, plan)(predictions=predictions), job))

    def again(self, job: Job, plan: Plan, estimation: Estimation) -> int:
        """Score predictions of an earlier time whose record is no longer valid; return the number of people."""
        record = kept(job, plan)
        save_description(job, plan)  # the saved files may be missing or outdated
        if record:
            if not _has_diagnosis(job.folder):
                _measuring(job, plan)()  # writes it
            self._finish(job, plan, record)
            return record.people or 0
        predictions = Predictions.load(job.folder.predictions)
        self.add(job, plan, predictions, estimation)
        return len(predictions)

    def done(self) -> Iterator[Scored]:
        """Wait for the added runs, and yield them."""
        for future in as_completed(list(self._under_way)):
            job, plan, record = self._under_way.pop(future)
            try:
                try:
                    measures = future.result()
                except BrokenProcessPool:
                    again = "a scoring process died, perhaps out of memory; the main process scored the run again"
                    record = record.model_copy(update={"warnings": [*record.warnings, again]})
                    self._pool = None
                    measures = _measuring(job, plan)()
                self._finish(job, plan, completed(record, measures, job))
            except Exception as error:  # noqa: BLE001 (an error in one run is recorded, and the others continue)
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


def save_description(job: Job, plan: Plan) -> None:
    """Save what was run: the row with its resolved config, and the protocol."""
    keypoints = read_metainfo(plan.config.test_dataloader.dataset).names
    RunSpec.of(job.suite, job.row, job.run, plan.config.to_dict(), keypoints).save(job.folder.spec)
    plan.protocol.save(job.folder.protocol)


def _has_diagnosis(folder: RunFolder) -> bool:
    try:
        Diagnosis.load(folder.diagnosis)
    except ObtainError:
        return False
    return True


def _measuring(job: Job, plan: Plan) -> "partial[Measures]":
    names = read_metainfo(plan.config.test_dataloader.dataset).names
    return partial(measure, job.folder, plan.protocol, job.settings.data, names)
