"""Tasks, and the worker that does them, in this process or another one."""

import gc
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from harness.datasets.people import People
from harness.predict.memory import is_out_of_memory
from harness.predict.shared import Estimator, predict_together
from harness.predictions import Predictions
from harness.run.device import free_memory
from harness.run.obtain import check_files, obtain_images
from harness.run.plan import Plan
from harness.run.shards import Shard, ShardNotes

WEIGHTS_SHARE = 0.5
"""Share of a device's free memory for weights; the rest is for the activations of the network."""


@dataclass(frozen=True)
class Task:
    """Some people of some runs with the same people."""

    runs: tuple[int, ...]
    """Numbers by which the code that created the task identifies the runs."""
    plans: tuple[Plan, ...]
    """One plan per run."""
    start: int
    """Index of the first person, image by image (`People.by_image`); a multiple of each batch size, to keep batches."""
    end: int
    exact: bool
    """Whether to compute in exact single precision regardless of the plans."""
    threads: int
    """Number of torch's threads on a CPU; it may change the last digit."""

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, runs: Collection[int]) -> "Task":
        """Return the task for those of its runs that are in `runs`."""
        kept = [(run, plan) for run, plan in zip(self.runs, self.plans, strict=True) if run in runs]
        return replace(self, runs=tuple(run for run, _ in kept), plans=tuple(plan for _, plan in kept))


class NoRoomError(MemoryError):
    """A network does not fit on the device together with the others of a task."""


Result = Shard | Exception
"""The result of one run of a task."""


class Worker:
    """Does tasks on one device; keeps networks and people between tasks.

    Args:
        device: A device such as `cuda:1`.
        progress: Called with the number of people done, batch by batch.
    """

    def __init__(self, device: str, progress: Callable[[int], object]) -> None:
        self._device = device
        self._progress = progress
        self._networks: dict[str, _Network] = {}
        self._people: tuple[str, People] | None = None

    @cached_property
    def name(self) -> str:
        """Device, process and node."""
        return f"{self._device}, process {os.getpid()} on {socket.gethostname()}"

    def free_memory(self) -> int:
        """Return the device's memory in bytes that is free or occupied by networks that can be dropped."""
        return free_memory(self._device) + sum(network.bytes for network in self._networks.values())

    def do(self, task: Task) -> list[Result]:
        """Return the result of each run of a task."""
        torch.set_num_threads(task.threads)
        results: dict[int, Result] = {}
        networks: dict[int, _Network] = {}
        try:
            people = self._people_of(task.plans[0])
        except Exception as error:  # noqa: BLE001 (an error in shared data; other tasks continue)
            return [error] * len(task.plans)
        for number, plan in enumerate(task.plans):
            try:
                networks[number] = self._network(plan, task)
            except Exception as error:  # noqa: BLE001 (a network that cannot be built; the other runs continue)
                results[number] = NoRoomError(str(error)) if networks and is_out_of_memory(error) else error
        results |= self._predict(task, networks, people.take(people.by_image()[task.start : task.end]))
        return [results[number] for number in range(len(task.plans))]

    def _predict(self, task: Task, networks: dict[int, "_Network"], people: People) -> dict[int, Result]:
        if not networks:
            return {}
        start = time.perf_counter()
        before = {number: network.forward.seconds for number, network in networks.items()}
        estimators = [Estimator(n.forward, task.plans[i].protocol, self._progress) for i, n in networks.items()]
        try:
            outcomes: Sequence[Predictions | Exception] = predict_together(estimators, people)
        except Exception as error:  # noqa: BLE001 (an image that cannot be read)
            return dict.fromkeys(networks, error)
        seconds = time.perf_counter() - start
        results: dict[int, Result] = {}
        for (number, network), outcome in zip(networks.items(), outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._networks.pop(task.plans[number].predictions_key, None)
                results[number] = outcome
                continue
            notes = ShardNotes(
                worker=self.name,
                network_seconds=network.fresh_seconds(),
                predict_seconds=seconds,
                forward_seconds=network.forward.seconds - before[number],
                together=len(networks),
                warnings=network.forward.warnings,
            )
            results[number] = Shard(task.start, task.end, outcome, notes)
        return results

    def _people_of(self, plan: Plan) -> People:
        if self._people is None or self._people[0] != plan.people_key:
            self._drop(self._networks)
            check_files(plan)
            people = plan.people()
            obtain_images(plan, people.images, lambda *_: None)
            self._people = plan.people_key, people
        return self._people[1]

    def _network(self, plan: Plan, task: Task) -> "_Network":
        found = self._networks.get(plan.predictions_key)
        if found is None or (task.exact and found.quick):
            self._networks.pop(plan.predictions_key, None)
            found = self._networks[plan.predictions_key] = self._built(plan, task)
        if not task.exact:
            found.quicken()
        return found

    def _built(self, plan: Plan, task: Task) -> "_Network":
        """Build a network; first drop networks that the task does not need, if their memory may be needed."""
        others = self._networks.keys() - {plan.predictions_key for plan in task.plans}
        if sum(network.bytes for network in self._networks.values()) > WEIGHTS_SHARE * free_memory(self._device):
            self._drop(others)
        try:
            return _Network(plan, self._device)
        except Exception as error:
            if not is_out_of_memory(error) or not others & self._networks.keys():
                raise
        self._drop(others)
        return _Network(plan, self._device)

    def _drop(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            del self._networks[key]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class _Network:
    """A network on a device, with the time that building it took."""

    def __init__(self, plan: Plan, device: str) -> None:
        start = time.perf_counter()
        check_files(plan)
        compute = plan.protocol.compute.model_copy(update={"device": device})
        self.forward = plan.model(plan.protocol.model_copy(update={"compute": compute}))
        self.bytes = self.forward.bytes
        self.quick = False
        self._exact = compute.exact
        self._seconds = time.perf_counter() - start

    def quicken(self) -> None:
        """Switch from exact to the plan's precision."""
        if not self.quick and not self._exact:
            self.forward.quicken()
            self.quick = True

    def fresh_seconds(self) -> float:
        """Return the seconds of building the network on the first call, 0 afterwards."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
