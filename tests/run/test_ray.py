"""A Ray cluster of one node: the same results as in this process, also if a worker dies."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Harness
from ray_nodes import Nodes, connected, kill_a_worker
from survival import ROWS, arguments, assert_same, folder, make_whole, ranges_done

from harness.run import passes
from harness.run.executors.ray_cluster import RayCluster


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """Return the nodes of a cluster that this process is connected to; it has none at first."""
    if sys.platform == "win32":
        pytest.skip("Ray runs no cluster of several nodes on Windows")
    with connected() as found:
        yield found


@pytest.fixture(scope="module")
def whole(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an output folder of an uninterrupted run."""
    return make_whole(demo, tmp_path_factory.mktemp("whole"))


@pytest.mark.long
def test_a_worker_that_dies(
    harness: Harness, demo: Path, whole: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "TASK_SECONDS", 0)
    nodes.add()
    killer = threading.Thread(target=kill_a_worker, daemon=True)
    killer.start()
    code, out, err = harness(*arguments(demo.absolute(), "--executor", "ray"))
    assert code == 0, out + err
    killer.join(1)
    assert not killer.is_alive()
    log = (folder(ROWS[0]) / "log.txt").read_text()
    assert "are lost: a Ray worker was lost: " in log
    assert ranges_done(ROWS[0]) == [(0, 4), (4, 8), (8, 12), (12, 16), (16, 17)]
    assert_same("runs", whole)


def test_a_cluster_without_workers(harness: Harness, demo: Path, nodes: Nodes) -> None:
    code, _, err = harness(*arguments(demo, "--executor", "ray", "--device", "cuda"))
    assert code == 2
    assert "no node of the cluster has 1 GPU" in err


def test_where_there_is_no_cluster(harness: Harness, demo: Path) -> None:
    code, _, err = harness(*arguments(demo, "--executor", "ray", "--address", "127.0.0.1:1"))
    assert code == 2
    assert "no cluster at 127.0.0.1:1" in err


def test_ray_is_optional(harness: Harness, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Exception, match="--executor ray needs the package ray"):
        RayCluster(None, "cpu", lambda _: None)
