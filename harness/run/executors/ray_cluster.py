"""A Ray cluster: each of its GPUs or, of a cluster without any, as many CPUs as torch has threads."""

import functools
import importlib.util
import logging
import socket
from dataclasses import replace
from typing import Any, Self

import torch

from harness.errors import RunError, UsageError
from harness.run.device import choose_device
from harness.run.environment import describe_environment
from harness.run.executors.base import Lost, OnPeople, portable
from harness.run.worker import Result, Task, Worker

_PATIENCE = 60.0
"""Seconds without a result after which it is asked whether the cluster still has workers at all."""


class RayCluster:
    """An executor on a Ray cluster. Networks stay in Ray's worker processes from one task to the next.

    Args:
        address: Of a running cluster, such as `auto` or `ray://head:10001`; None for Ray's own default.
        device: `cpu` or `cuda`, of every worker; None for `cuda` where the cluster has a GPU.
        progress: Called task by task.

    Raises:
        UsageError: Ray is not installed.
    """

    def __init__(self, address: str | None, device: str | None, progress: OnPeople) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UsageError("--executor ray needs the package ray", "pip install 'ray>=2.50'")
        import ray

        self._ray = ray
        self._address = address
        self._asked = device
        self._progress = progress
        self._ours = not ray.is_initialized()
        self._waiting: dict[Any, Task] = {}
        self._remotes: dict[Any, Any] = {}

    @property
    def device(self) -> str:
        """What each worker has."""
        return self._asked or ("cuda" if self._ray.cluster_resources().get("GPU") else "cpu")

    @property
    def workers(self) -> int:
        """How many tasks the cluster can do at a time; nodes may come and go."""
        resource, each = self._share
        return int(self._ray.cluster_resources().get(resource, 0) // each)

    @property
    def depth(self) -> int:
        """One more for each worker than it does."""
        return 2 * max(self.workers, 1)

    @property
    def _share(self) -> tuple[str, int]:
        """What a task needs of a node."""
        return ("GPU", 1) if self.device == "cuda" else ("CPU", torch.get_num_threads())

    def free_memory(self) -> int:
        """Return the bytes of memory that networks may use, as one of the workers has it."""
        return int(self._ray.get(self._on_a_worker(_free_memory, self.device)))

    def environment(self) -> dict[str, Any]:
        """Describe what one of the workers runs on."""
        found: dict[str, Any] = self._ray.get(self._on_a_worker(_environment, self.device, torch.get_num_threads()))
        return found

    def submit(self, task: Task) -> None:
        """Take a task."""
        elsewhere = replace(task, plans=tuple(plan.of_a_node() for plan in task.plans))
        self._waiting[self._on_a_worker(_do, elsewhere, self.device)] = task

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Wait for a task's end.

        Raises:
            RunError: The cluster has no worker left.
        """
        while not (ready := self._ray.wait(list(self._waiting), timeout=_PATIENCE)[0]):
            if not self.workers:
                raise RunError(f"the Ray cluster has no {self._share[0]} left", "the same command goes on from here")
        task = self._waiting.pop(ready[0])
        try:
            results: list[Result] = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError:  # a bug of ours
            raise
        except self._ray.exceptions.RayError as error:
            return task, Lost(f"a Ray worker was lost: {str(error).splitlines()[0]}")
        self._progress(len(task) * len(task.plans))
        return task, results

    def _on_a_worker(self, function: Any, *arguments: object) -> Any:
        if function not in self._remotes:
            resource, each = self._share
            # Deaths are answered by `passes.py`, for all executors alike. A process that had a GPU would end after
            # each task without `max_calls`, and with it the networks that it keeps.
            options = {"max_retries": 0, "max_calls": 0, f"num_{resource.lower()}s": each}
            self._remotes[function] = self._ray.remote(**options)(function)
        return self._remotes[function].remote(*arguments)

    def __enter__(self) -> Self:
        if self._ours:
            try:
                _knock(self._address)
                self._ray.init(address=self._address, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, ValueError, self._ray.exceptions.RayError) as error:
                where = self._address or "this machine"
                raise UsageError(f"--executor ray: no cluster at {where}: {error}", "begin one: ray start") from error
        if not self.workers:
            resource, each = self._share
            self.__exit__()
            raise UsageError(
                f"--executor ray: no node of the cluster has {each} {resource}",
                "name --device cpu, or add a node that has them",
            )
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._waiting:
            self._ray.cancel(reference, force=True)
        self._waiting.clear()
        if self._ours:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Make sure that somebody answers at an address: Ray itself asks for minutes.

    Raises:
        OSError: Nobody does.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@functools.cache
def _worker(device: str) -> Worker:
    """Return this process's worker."""
    return Worker(choose_device(device), lambda _: None)


def _do(task: Task, device: str) -> list[Result]:
    return portable(_worker(device).do(task))


def _environment(device: str, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)  # as each task does
    return describe_environment(choose_device(device))


def _free_memory(device: str) -> int:
    return _worker(device).free_memory()
