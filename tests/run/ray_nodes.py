"""A Ray cluster on this machine with nodes and workers that can be killed."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster


@dataclass(frozen=True)
class Nodes:
    """The nodes of a cluster."""

    cluster: Any

    def add(self) -> Any:
        """Return a new node with one processor."""
        return self.cluster.add_node(num_cpus=1)

    def remove(self, node: Any) -> None:
        """Remove a node, as in a power failure."""
        self.cluster.remove_node(node, allow_graceful=False)


@contextlib.contextmanager
def connected() -> Iterator[Nodes]:
    """Connect this process to a cluster without processors, and yield its nodes."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.connect()
    try:
        yield Nodes(cluster)
    finally:
        ray.shutdown()
        cluster.shutdown()


def kill_a_worker() -> None:
    """Kill a process that does a task, as soon as there is one."""
    while True:
        for process in psutil.process_iter(["cmdline"]):
            if process.info["cmdline"] and process.info["cmdline"][0].startswith("ray::_do"):
                process.kill()
                return
        time.sleep(0.02)
