"""A round of the part `shards` through the command line, with workers of each kind; for `nox -s cluster`."""

import importlib.util
from pathlib import Path

import pytest
from conftest import Harness
from test_speed_shards import BATCH, PEOPLE, ROW, small_plan

from harness.run.worker import Result, Task, Worker
from harness.speed.outcome import BenchReport


def test_one_round(harness: Harness, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    do = Worker.do

    def count(worker: Worker, task: Task) -> list[Result]:
        assert task.threads == 1
        done.append(len(task))
        return do(worker, task)

    monkeypatch.setattr(Worker, "do", count)  # of this process's worker
    monkeypatch.setattr("harness.speed.shards.ROW", ROW)
    monkeypatch.setattr("harness.speed.workload.plan_row", small_plan)
    options = ("--images", 1, "--rounds", 1, "--out", "bench.json", "--markdown", "bench.md")
    code, printed, said = harness("bench", "--data", samples, "--only", "shards", *options)
    assert code == 0, said
    report = BenchReport.model_validate_json(Path("bench.json").read_bytes())
    part = report.details.shards
    assert part is not None
    assert (part.id, part.images, part.people, part.tasks) == (ROW, 1, PEOPLE, 3)
    (one_s,), (many_s,) = part.one_s, part.many_s
    assert part.overhead_ms.rounds == pytest.approx([1000 * (many_s - one_s) / 2])
    kinds = ["processes", *(["ray"] if importlib.util.find_spec("ray") else [])]
    assert list(part.workers) == kinds
    for workers in part.workers.values():
        assert workers.workers == 2
        assert workers.startup_s > 0
        assert workers.efficiency.rounds == pytest.approx([workers.here_s[0] / workers.workers_s[0] / 2])
    assert done == [BATCH, PEOPLE, 8, 8, 6, *[PEOPLE] * len(kinds)]
    assert f"shard_overhead_ms {part.overhead_ms.median:>16.1f}" in printed
    assert f"efficiency_processes {part.workers['processes'].efficiency.median:>13.2f}" in printed
    assert "| 3 tasks | " in Path("bench.md").read_text()
