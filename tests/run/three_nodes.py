"""Runs four rows on a part of COCO, on a Ray cluster of three nodes; one node and one worker are lost meanwhile.

Run by `nox -s cluster`. HARNESS_SUBSET names the data folder; it prints the durations.
"""

import os
import threading
import time
from pathlib import Path

import pytest
from conftest import Harness
from ray_nodes import connected, kill_a_worker
from survival import assert_same

from harness.record import Record

SUBSET = Path(os.environ.get("HARNESS_SUBSET", Path(__file__).parents[3] / "shared/data/coco-subset"))
ROWS = ("litehrnet-18-256x192", "mobilenet-v2-256x192", "shufflenet-v1-256x192", "shufflenet-v2-256x192")
IMAGES = 8


@pytest.mark.timeout(0)
def test_a_node_and_a_worker_go(harness: Harness) -> None:
    run = (
        "run",
        "coco",
        "--rows",
        ",".join(ROWS),
        "--data",
        SUBSET.resolve(),
        "--weights",
        "random:0",
        "--limit",
        IMAGES,
        "--offline",
        "--device",
        "cpu",
    )
    begun = time.monotonic()
    assert harness(*run, "--out", "here")[0] == 0
    here = time.monotonic() - begun

    with connected() as nodes:
        for _ in range(2):
            nodes.add()
        last = nodes.add()
        begun = time.monotonic()
        code, out, err = harness(*run, "--out", "calm", "--executor", "ray")
        assert code == 0, out + err
        calm = time.monotonic() - begun
        assert_same("calm", "here")

        def disturb() -> None:
            until_some_is_done()
            kill_a_worker()
            time.sleep(5)
            nodes.remove(last)

        def until_some_is_done() -> None:
            while not list(Path("killed").rglob("*.shard")):
                time.sleep(0.05)

        killer = threading.Thread(target=disturb, daemon=True)
        killer.start()
        begun = time.monotonic()
        code, out, err = harness(*run, "--out", "killed", "--executor", "ray")
        killed = time.monotonic() - begun
        assert code == 0, out + err
        killer.join(1)
        assert not killer.is_alive()
    assert_same("killed", "here")
    logs = "".join(path.read_text() for path in Path("killed").rglob("log.txt"))
    assert logs.count("are lost: a Ray worker was lost") >= 2
    people = Record.load(Path("here/coco") / ROWS[0] / "val/record.json").people
    print(
        f"\n{len(ROWS)} rows, {people} people: this process {here:.0f} s; three nodes on {os.cpu_count()} processors "
        f"{calm:.0f} s; with a worker and a node lost {killed:.0f} s"
    )
