"""Work in tasks compared with one task, and workers with this process, on the people of one image."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Harness
from miniature import coco

from harness.errors import DifferenceError, RunError
from harness.predictions import Predictions
from harness.run.executors.base import Lost
from harness.run.executors.here import Here
from harness.run.plan import Plan
from harness.run.shards import Shard
from harness.run.worker import Result, Task, Worker
from harness.run_folder import RunFolder
from harness.speed.outcome import BenchReport, Ratios
from harness.speed.shards import _Work, check_same, measure_shards
from harness.speed.workload import plan_row

ROW = "shufflenet-v2-256x192"
PEOPLE, BATCH = coco.PLAN[0][-1], 8


def small_plan(name: str, data: Path, images: int | None = None) -> Plan:
    plan = plan_row(name, data, images)
    compute = plan.protocol.compute.model_copy(update={"batch_size": BATCH})
    return replace(plan, protocol=plan.protocol.model_copy(update={"compute": compute}))


@pytest.fixture
def plan(samples: Path) -> Plan:
    return small_plan(ROW, samples, 1)


def test_one_batch_is_not_cut(harness: Harness, samples: Path) -> None:
    code, _, said = harness("bench", "--data", samples, "--only", "shards", "--images", 1)
    assert code == 2
    assert f"shards FAILED: {PEOPLE} people are 1 batch for 2 workers" in said


def test_results_that_differ(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    do = Worker.do

    def off(worker: Worker, task: Task) -> list[Result]:
        (result,) = do(worker, task)
        assert isinstance(result, Shard)
        if result.end == PEOPLE > len(task):
            scores = result.predictions.keypoint_scores
            scores[-1, -1] = np.nextafter(scores[-1, -1], np.float32(2))
        return [result]

    monkeypatch.setattr(Worker, "do", off)
    with pytest.raises(DifferenceError, match="keypoint_scores are not bit-identical") as error:
        measure_shards(plan, 1)
    assert error.value.exit_code == 1


def test_predictions_are_compared_bit_by_bit() -> None:
    zeros = np.zeros(3, np.float32)
    some = Predictions(
        np.arange(3), np.arange(3), zeros, zeros, zeros, np.full((3, 17, 2), np.nan), np.zeros((3, 17), np.float32)
    )
    check_same(some, replace(some, keypoints=some.keypoints.copy()))
    for changed in (some.keypoints.astype(np.float32), some.keypoints[:2], np.zeros((3, 17, 2))):
        with pytest.raises(DifferenceError, match="keypoints are"):
            check_same(some, replace(some, keypoints=changed))
    with pytest.raises(DifferenceError, match="boxes are"):
        check_same(some, replace(some, boxes=-zeros))


def test_workers_that_do_not_begin(plan: Plan, tmp_path: Path) -> None:
    class Two(Here):
        workers = 2

    class Dying(Here):
        def next(self) -> tuple[Task, list[Result] | Lost]:
            return self._tasks.popleft(), Lost("it died")

    work = _Work(plan, plan.people(), RunFolder(tmp_path))
    with pytest.raises(RunError, match="only 1 of 2 workers started"):
        work.begin(Two("cpu", lambda _: None))
    with pytest.raises(RunError, match="it died"):
        work.begin(Dying("cpu", lambda _: None))


def test_an_outcome_without_shards() -> None:
    """An outcome from before this part existed."""
    committed = Path(__file__).parents[2] / "results" / "bench.json"
    earlier = json.loads(committed.read_text())
    earlier["details"].pop("shards", None)
    assert BenchReport.model_validate(earlier).details.shards is None


def test_an_outcome_with_a_field_for_each_codec() -> None:
    names = ("prepare", "score", "ten_rows", "ten_rows_besides_network", "wall_over_forward")
    ratios = dict.fromkeys(names, 2.5) | {"decode_msra": 21.5, "decode_udp": 43.25, "decode_megvii": None}
    read = Ratios.model_validate(ratios)
    assert read.decode == {"msra": 21.5, "udp": 43.25}
    assert Ratios.model_validate(read.model_dump()) == read
    assert Ratios.model_validate(dict.fromkeys(names) | {"decode_msra": None}).decode is None
