"""Whole runs compared with MMPose's test script: one small row on one image, in real processes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import coco

from harness.errors import DifferenceError, ObtainError, RunError, UsageError
from harness.speed.process import run_python
from harness.speed.whole_runs import TEN_ROWS, RowRun, check_run, measure_one_row, measure_ten_rows
from harness.speed.workload import find_row, make_workload
from harness.suites.load import load_suite, select_rows

ROW = "shufflenet-v2-256x192"
PEOPLE = coco.PLAN[0][-1]
"""Number of boxes in the first image."""


@pytest.mark.long
def test_one_of_the_ten(samples: Path) -> None:
    outcome = measure_ten_rows(ROW, samples, 1, "fp32", 1)
    assert (outcome.images, outcome.people, outcome.precision) == (1, PEOPLE, "fp32")
    (row,) = outcome.rows
    assert row.id == ROW
    assert row.metric_max <= 1e-6
    assert row.keypoint_max_px <= 0.01
    (wall,), (forward,), (ours,) = row.upstream_wall_s, row.upstream_forward_s, row.ours_forward_s
    assert 0 < forward < wall
    assert 0 < ours < outcome.ours_wall_s[0]
    assert outcome.ratio.median == pytest.approx(wall / outcome.ours_wall_s[0])
    assert outcome.besides_network.median == pytest.approx(
        (wall - forward) / (outcome.ours_wall_s[0] - ours - outcome.ours_extra_s[0])
    )


@pytest.mark.long
def test_one_row(samples: Path) -> None:
    outcome = measure_one_row(ROW, samples, 1, "fp32", 1)
    assert (outcome.id, outcome.images, outcome.people) == (ROW, 1, PEOPLE)
    assert 0 < outcome.forward_s[0] < outcome.wall_s[0]
    assert outcome.ratio.median == outcome.wall_s[0] / outcome.forward_s[0]


def test_the_ten_rows_are_there() -> None:
    suite = load_suite("coco")
    assert {row.id for row in select_rows(suite, ",".join(TEN_ROWS))} == set(TEN_ROWS)
    assert len(TEN_ROWS) == 10


def test_workload(samples: Path, tmp_path: Path) -> None:
    work = make_workload(f"{ROW},shufflenet-v2-*", samples, 2, tmp_path)
    assert [job.id for job in work.jobs] == [ROW]  # once
    (row,) = load_suite(work.suite).rows
    assert row.runs["val"].checkpoint.url == work.jobs[0].checkpoint.as_uri()
    assert work.data == tmp_path / "data"
    boxes = json.loads(next(work.data.glob("coco/person_detection_results/*.json")).read_text())
    annotations = json.loads(next(work.data.glob("coco/annotations/*.json")).read_text())
    assert (len(boxes), len(annotations["images"])) == (work.people, work.images) == (work.people, 2)
    assert all(Path(image["file_name"]).is_file() for image in annotations["images"])
    wanted = {image["id"] for image in annotations["images"]}
    assert {box["image_id"] for box in boxes} == wanted
    assert {person["image_id"] for person in annotations["annotations"]} <= wanted


def test_wrong_rows_and_data(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no row of coco matches resnet-51"):
        make_workload(f"{ROW},resnet-51", samples, 1, tmp_path)
    with pytest.raises(ObtainError, match="the annotation file is missing"):
        make_workload(ROW, tmp_path, 1, tmp_path)
    with pytest.raises(UsageError, match="but one is needed"):
        find_row("shufflenet-*")


def run(**changes: Any) -> RowRun:
    fields: dict[str, Any] = {
        "forward_s": 1.0,
        "metrics": {"AP": 0.5},
        "person_ids": np.arange(3),
        "keypoints": np.zeros((3, 17, 2)),
    }
    return RowRun(**fields | changes)


def test_runs_that_differ() -> None:
    moved = np.zeros((3, 17, 2))
    moved[2, 5, 1] = -4
    assert check_run("a", run(), run(keypoints=moved)) == (0, 4)  # a tie may cause it: reported, not rejected
    with pytest.raises(DifferenceError, match=r"a: AP is 0\.6 with our code and 0\.5 with upstream's"):
        check_run("a", run(), run(metrics={"AP": 0.6}))
    with pytest.raises(DifferenceError, match="a: the people differ from upstream's"):
        check_run("a", run(), run(person_ids=np.array([0, 2, 1])))


def test_a_process_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"exit code 4 of python -c(.|\n)*no such thing"):
        run_python(["-c", "print('no such thing'); raise SystemExit(4)"], tmp_path / "log.txt")
    assert run_python(["-c", "raise SystemExit(1)"], tmp_path / "log.txt", accepted=(0, 1)) > 0
