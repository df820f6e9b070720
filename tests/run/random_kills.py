"""The soak test: kills runs of the demo suite and their workers at random moments, until the runs are complete.

Run by `nox -s soak`. HARNESS_SOAK_KILLS is the number of kills, HARNESS_SOAK_SEED the seed.
"""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from survival import assert_same, workers_of

KILLS = int(os.environ.get("HARNESS_SOAK_KILLS", "200"))
SEED = int(os.environ.get("HARNESS_SOAK_SEED", "0"))
LAUNCH = """
import sys
from harness.cli import main
from harness.run import passes
passes.TASK_SECONDS = 2
sys.exit(main())
"""
"""Tasks are short, so that kills happen between them and during them."""


def start(demo: Path, out: Path, devices: str) -> subprocess.Popen[str]:
    """Start or continue a run."""
    command = ("run", "demo", "--data", demo, "--out", out, "--offline", "--device", devices)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", LAUNCH, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done_twice(out: Path) -> Iterator[str]:
    """Yield the people whose shards were stored twice according to the logs."""
    for log in out.rglob("log.txt"):
        found = re.findall(r"people (\d+) to (\d+) of \d+: ", log.read_text())
        for (_, end), (start, _) in pairwise(sorted((int(first), int(last)) for first, last in found)):
            if start < end:
                yield f"{log}: {start} to {end}"


@pytest.mark.timeout(0)
def test_random_kills(demo: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    began = time.monotonic()
    assert start(demo, tmp_path / "whole", "cpu").wait() == 0
    usual = time.monotonic() - began
    kills = rounds = of_workers = given_up = 0
    while kills < KILLS:
        rounds += 1
        out = tmp_path / f"round-{rounds}"
        devices = rng.choice(["cpu", "cpu,cpu"])
        process = start(demo, out, devices)
        while True:
            try:
                shown, _ = process.communicate(timeout=rng.uniform(0, 0.25 * usual))
                if process.returncode == 0:
                    break
                # Three workers in a row died during the same people: the run reports it, and the next step.
                assert process.returncode == 3, shown
                assert re.search(r"^failed: 3 workers were lost during this run; .* SIGKILL", shown, re.MULTILINE), (
                    shown
                )
                assert "repeat the command to try again" in shown
                process = start(demo, out, devices)
                given_up += 1
            except subprocess.TimeoutExpired:
                victim = rng.choice([psutil.Process(process.pid), *workers_of(process.pid)])
                with suppress(psutil.NoSuchProcess):
                    victim.kill()
                kills += 1
                if victim.pid == process.pid:
                    process.wait()
                    process = start(demo, out, devices)
                else:
                    of_workers += 1
        assert_same(str(out), str(tmp_path / "whole"))
        assert [*done_twice(out)] == []
        print(
            f"round {rounds} ({devices}): complete and equal after {kills} kills in all, {of_workers} of workers;"
            f" {given_up} times runs gave up and were started again"
        )
