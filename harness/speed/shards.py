"""Measures the cost of dividing work into tasks, and the gain of several workers, on one row with seeded weights."""

import importlib.util
import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from harness.datasets.people import People, check_images
from harness.errors import DifferenceError, RunError, UsageError
from harness.predict.threads import torch_threads
from harness.predictions import Predictions
from harness.run.executors.base import Executor, Lost
from harness.run.executors.devices import Devices
from harness.run.executors.here import Here
from harness.run.executors.ray_cluster import RayCluster
from harness.run.passes import TRIES, predict_in_passes
from harness.run.plan import Plan
from harness.run.progress import SilentProgress
from harness.run.worker import Task
from harness.run_folder import RunFolder
from harness.speed.outcome import Shards, Spread, Workers
from harness.speed.rounds import circumstances, compare

ROW = "litehrnet-18-256x192"
"""A row with a small network, so that other costs are visible."""
WORKERS = 2


def measure_shards(plan: Plan, rounds: int) -> Shards:
    """Compare one task with one task per batch, and workers with this process.

    Args:
        plan: The plan with the row, the people and the images; on a CPU.
        rounds: Number of rounds.

    Raises:
        UsageError: There are fewer batches than workers.
        ObtainError: Boxes or images are missing.
        RunError: Workers do not start, or are lost.
        DifferenceError: Results are not bit-identical.
    """
    measured = circumstances()
    people = plan.people()
    check_images(people.images)
    tasks = math.ceil(len(people) / plan.protocol.compute.batch_size)
    if tasks < WORKERS:
        raise UsageError(f"{len(people)} people are {tasks} batch for {WORKERS} workers", "use more images")
    with torch_threads(1), tempfile.TemporaryDirectory() as folder, Here("cpu", _ignore) as here:
        work = _Work(plan, people, RunFolder(Path(folder)))
        work.begin(here)
        one, many = partial(work.predict, here, math.inf), partial(work.predict, here, 0)
        cut = compare("people", len(people), one, many, rounds, check_same)
        workers: dict[Literal["processes", "ray"], Workers] = {
            "processes": _measure_workers(work, here, Devices(["cpu"] * WORKERS, _ignore), rounds)
        }
        if importlib.util.find_spec("ray"):
            workers["ray"] = _measure_workers(work, here, _local_ray(), rounds)
    overhead = [1000 * (many_s - one_s) / (tasks - 1) for one_s, many_s in zip(cut.upstream_s, cut.ours_s, strict=True)]
    return Shards(
        measured=measured,
        id=ROW,
        images=len(people.images),
        people=len(people),
        tasks=tasks,
        one_s=cut.upstream_s,
        many_s=cut.ours_s,
        overhead_ms=Spread.of(overhead),
        workers=workers,
    )


def check_same(ours: Predictions, others: Predictions) -> None:
    """Compare predictions of the same people.

    Raises:
        DifferenceError: They are not bit-identical.
    """
    for name, values in vars(ours).items():
        other = getattr(others, name)
        if (values.dtype, values.shape, values.tobytes()) != (other.dtype, other.shape, other.tobytes()):
            raise DifferenceError(f"{name} are not bit-identical if the work is divided differently")


@dataclass(frozen=True)
class _Work:
    plan: Plan
    people: People
    folder: RunFolder

    def predict(self, executor: Executor, task_seconds: float | None = None) -> Predictions:
        """Predict all people as a run does, and remove the shards."""
        runs = [(ROW, self.plan, self.folder)]
        ((_, outcome),) = filter(None, predict_in_passes(runs, self.people, executor, SilentProgress(), task_seconds))
        self.folder.clear_shards()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome[0]

    def begin(self, executor: Executor) -> None:
        """Let each worker read the people, build the network and do a batch.

        Raises:
            RunError: A worker is lost, or gets no task.
        """
        end = min(self.plan.protocol.compute.batch_size, len(self.people))
        begun: set[str] = set()
        for _ in range(TRIES):  # Ray may send both tasks to the worker that starts first
            for _ in range(executor.workers):
                executor.submit(Task((0,), (self.plan,), 0, end, exact=False, threads=torch.get_num_threads()))
            for _ in range(executor.workers):
                _, results = executor.next()
                if isinstance(results, Lost):
                    raise RunError(str(results))
                (result,) = results
                if isinstance(result, Exception):
                    raise result
                begun.add(result.notes.worker)
            if len(begun) == executor.workers:
                return
        raise RunError(f"only {len(begun)} of {executor.workers} workers started")


def _measure_workers(work: _Work, here: Executor, context: AbstractContextManager[Executor], rounds: int) -> Workers:
    """Compare workers, including their start, with this process; tasks have the length that they have in a run."""
    start = time.perf_counter()
    with context as executor:
        work.begin(executor)
        startup = time.perf_counter() - start
        both = partial(work.predict, here), partial(work.predict, executor)
        compared = compare("people", len(work.people), *both, rounds, check_same)
        count = executor.workers
    return Workers(
        workers=count,
        startup_s=startup,
        here_s=compared.upstream_s,
        workers_s=compared.ours_s,
        efficiency=Spread.of([ratio / count for ratio in compared.ratio.rounds]),
    )


@contextmanager
def _local_ray() -> Iterator[RayCluster]:
    """Start a Ray cluster on this machine with as many processors as there are workers."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    except (OSError, RuntimeError, ray.exceptions.RayError) as error:
        raise RunError(f"Ray does not start: {error}") from error
    try:
        with RayCluster(None, "cpu", _ignore) as cluster:
            yield cluster
    finally:
        ray.shutdown()


def _ignore(_: int) -> None:
    """Ignore progress."""
