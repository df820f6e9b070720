"""An executor on a Ray cluster: one worker per GPU or, without GPUs, per group of as many CPUs as torch has threads."""

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
"""Seconds without a result after which the executor checks whether the cluster still has workers."""


class RayCluster:
    """An executor on a Ray cluster. Networks stay in Ray's worker processes between tasks.

    Args:
        address: Address of a running cluster, such as `auto` or `ray://head:10001`; None for Ray's own default.
        device: `cpu` or `cuda`, for every worker; None for `cuda` if the cluster has a GPU, else `cpu`.
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
        """The kind of device of all workers."""
        return self._asked or ("cuda" if self._ray.cluster_resources().get("GPU") else "cpu")

    @property
    def workers(self) -> int:
        """Number of tasks that the cluster can do at a time; it changes with the nodes."""
        resource, each = self._share
        return int(self._ray.cluster_resources().get(resource, 0) // each)

    @property
    def depth(self) -> int:
        """Two tasks per worker: the current and the next one."""
        return 2 * max(self.workers, 1)

    @property
    def _share(self) -> tuple[str, int]:
        """Return the kind and number of resources that a task needs on a node."""
        return ("GPU", 1) if self.device == "cuda" else ("CPU", torch.get_num_threads())

    def free_memory(self) -> int:
        """Return the bytes of memory available for networks on one of the workers."""
        return int(self._ray.get(self._on_a_worker(_free_memory, self.device)))

    def environment(self) -> dict[str, Any]:
        """Return the environment of one of the workers."""
        found: dict[str, Any] = self._ray.get(self._on_a_worker(_environment, self.device, torch.get_num_threads()))
        return found

    def submit(self, task: Task) -> None:
        """Add a task to the queue."""
        elsewhere = replace(task, plans=tuple(plan.of_a_node() for plan in task.plans))
        self._waiting[self._on_a_worker(_do, elsewhere, self.device)] = task

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """Wait until a task is done or its worker lost.

        Raises:
            RunError: The cluster has no worker left.
        """
        while not (ready := self._ray.wait(list(self._waiting), timeout=_PATIENCE)[0]):
            if not self.workers:
                raise RunError(f"the Ray cluster has no {self._share[0]} left", "repeat the command to continue")
        task = self._waiting.pop(ready[0])
        try:
            results: list[Result] = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError:  # an error in our code
            raise
        except self._ray.exceptions.RayError as error:
            return task, Lost(f"a Ray worker was lost: {str(error).splitlines()[0]}")
        self._progress(len(task) * len(task.plans))
        return task, results

    def _on_a_worker(self, function: Any, *arguments: object) -> Any:
        if function not in self._remotes:
            resource, each = self._share
            # `passes.py` handles lost workers for all executors. Without `max_calls`, a process with a GPU would end
            # after each task, and lose its networks.
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
                raise UsageError(f"--executor ray: no cluster at {where}: {error}", "start one: ray start") from error
        if not self.workers:
            resource, each = self._share
            self.__exit__()
            raise UsageError(
                f"--executor ray: no node of the cluster has {each} {resource}",
                "use --device cpu, or add a node that has them",
            )
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._waiting:
            self._ray.cancel(reference, force=True)
        self._waiting.clear()
        if self._ours:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Check that a server answers at an address, because Ray itself would try for minutes.

    Raises:
        OSError: No server answers.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@functools.cache
def _worker(device: str) -> Worker:
    """Return this process's worker, created on the first call."""
    return Worker(choose_device(device), lambda _: None)


def _do(task: Task, device: str) -> list[Result]:
    return portable(_worker(device).do(task))


def _environment(device: str, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)  # as for each task
    return describe_environment(choose_device(device))


def _free_memory(device: str) -> int:
    return _worker(device).free_memory()
