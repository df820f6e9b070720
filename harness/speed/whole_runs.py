"""Measures whole runs: several rows together against MMPose's test script, and one row against its forward passes.

Each side runs in separate processes, whose wall time the parent process measures.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from harness.arrays import Floating, Int64
from harness.errors import DifferenceError
from harness.judge.parity import METRIC_TOLERANCE
from harness.predict.upstream_metrics import our_names
from harness.predictions import Predictions
from harness.protocol import Precision
from harness.record import Record
from harness.run_folder import RunFolder
from harness.speed.outcome import OneRow, RowTimes, Spread, TenRows
from harness.speed.process import run_python, run_upstream_script
from harness.speed.rounds import circumstances, in_turn
from harness.speed.score import check_metrics
from harness.speed.workload import RUN, Workload, WorkloadRow, make_workload

TEN_ROWS = tuple(
    f"{name}-256x192"
    for name in (
        "litehrnet-18",
        "litehrnet-30",
        "mobilenet-v2",
        "shufflenet-v1",
        "shufflenet-v2",
        "alexnet",
        "cspnext-tiny",
        "cspnext-s",
        "resnet-50",
        "vitpose-s",
    )
)
ONE_ROW = "resnet-50-256x192"


@dataclass(frozen=True)
class RowRun:
    """The run of one row by one side."""

    forward_s: float
    metrics: dict[str, float | None]
    person_ids: Int64
    keypoints: Floating
    wall_s: float = 0.0
    """Upstream only, because our rows share a process."""
    extra_s: float = 0.0
    """Ours only: intervals and the error analysis, which upstream does not compute."""


def measure_ten_rows(rows: str, data: Path, images: int | None, precision: Precision, rounds: int) -> TenRows:
    """Compare our run of rows with MMPose's test script, one process per row with its published settings.

    Args:
        rows: Ids or patterns of rows of COCO, separated by commas.
        data: An MMPose data/ folder.
        images: Number of first images to use; None for all.
        precision: Precision of our run.
        rounds: Number of rounds.

    Raises:
        UsageError: No row matches.
        RunError: A process fails.
        DifferenceError: A metric differs by more than 1e-6, or the people differ.
    """
    measured = circumstances()
    with tempfile.TemporaryDirectory() as folder:
        work = make_workload(rows, data, images, Path(folder))
        theirs: list[list[RowRun]] = []
        ours: list[list[RowRun]] = []
        ours_wall, ours_extra, ratios, besides = [], [], [], []
        for number in range(rounds):
            scratch = Path(folder).absolute() / f"round{number}"
            scratch.mkdir()
            their_runs, (wall, our_runs) = in_turn(
                number, partial(_upstream_runs, work, scratch), partial(_our_run, work, precision, scratch)
            )
            theirs.append(their_runs)
            ours.append(our_runs)
            ours_wall.append(wall)
            their_wall = sum(run.wall_s for run in their_runs)
            ratios.append(their_wall / wall)
            their_rest = their_wall - sum(run.forward_s for run in their_runs)
            ours_extra.append(sum(run.extra_s for run in our_runs))
            besides.append(their_rest / (wall - ours_extra[-1] - sum(run.forward_s for run in our_runs)))
    by_row = zip(work.jobs, zip(*theirs, strict=True), zip(*ours, strict=True), strict=True)
    return TenRows(
        measured=measured,
        images=work.images,
        people=work.people,
        precision=precision,
        rows=tuple(_row_times(*runs) for runs in by_row),
        ours_wall_s=tuple(ours_wall),
        ours_extra_s=tuple(ours_extra),
        ratio=Spread.of(ratios),
        besides_network=Spread.of(besides),
    )


def measure_one_row(row: str, data: Path, images: int | None, precision: Precision, rounds: int) -> OneRow:
    """Compare the wall time of one row's run with the time of its forward passes alone.

    Args:
        row: The id of a row of COCO.
        data: An MMPose data/ folder.
        images: Number of first images to use; None for all.
        precision: Precision of both.
        rounds: Number of rounds.

    Raises:
        UsageError: There is no such row.
        RunError: A process fails.
    """
    measured = circumstances()
    wall_s, forward_s = [], []
    with tempfile.TemporaryDirectory() as folder:
        work = make_workload(row, data, images, Path(folder))
        for number in range(rounds):
            scratch = Path(folder).absolute() / f"round{number}"
            scratch.mkdir()
            seconds, (wall, _) = in_turn(
                number, partial(_pure_forward, work, precision, scratch), partial(_our_run, work, precision, scratch)
            )
            wall_s.append(wall)
            forward_s.append(seconds)
    return OneRow(
        measured=measured,
        id=work.jobs[0].id,
        images=work.images,
        people=work.people,
        precision=precision,
        wall_s=tuple(wall_s),
        forward_s=tuple(forward_s),
        ratio=Spread.of([wall / forward for wall, forward in zip(wall_s, forward_s, strict=True)]),
    )


def _row_times(job: WorkloadRow, upstream: Sequence[RowRun], ours: Sequence[RowRun]) -> RowTimes:
    differences = [check_run(job.id, theirs, mine) for theirs, mine in zip(upstream, ours, strict=True)]
    return RowTimes(
        id=job.id,
        upstream_wall_s=tuple(run.wall_s for run in upstream),
        upstream_forward_s=tuple(run.forward_s for run in upstream),
        ours_forward_s=tuple(run.forward_s for run in ours),
        metric_max=max(metric for metric, _ in differences),
        keypoint_max_px=max(keypoint for _, keypoint in differences),
    )


def check_run(row: str, upstream: RowRun, ours: RowRun) -> tuple[float, float]:
    """Return the largest differences of a metric, fractions, and of a keypoint, image px.

    Raises:
        DifferenceError: A metric differs by more than 1e-6, or the people differ.
    """
    if not np.array_equal(upstream.person_ids, ours.person_ids):
        raise DifferenceError(f"{row}: the people differ from upstream's")
    try:
        metric = check_metrics(upstream.metrics, ours.metrics, METRIC_TOLERANCE)
    except DifferenceError as error:
        raise DifferenceError(f"{row}: {error}") from None
    return metric, float(np.abs(upstream.keypoints - ours.keypoints).max())


def _upstream_runs(work: Workload, scratch: Path) -> list[RowRun]:
    runs = []
    for job in work.jobs:
        wall, found, predictions = run_upstream_script(job, scratch)
        with np.load(predictions) as arrays:
            run = RowRun(
                forward_s=found["forward_s"],
                metrics=our_names(found["metrics"], job.scoring),
                person_ids=arrays["ids"],
                keypoints=arrays["keypoints"],
                wall_s=wall,
            )
        runs.append(run)
    return runs


def _our_run(work: Workload, precision: Precision, scratch: Path) -> tuple[float, list[RowRun]]:
    out = scratch / "runs"
    arguments = ["--data", str(work.data), "--precision", precision, "--offline", "--out", str(out)]
    wall = run_python(["-m", "harness", "run", str(work.suite), *arguments], scratch / "log.txt", accepted=(0, 1))
    runs = []
    for job in work.jobs:
        folder = RunFolder(out / "coco" / job.id / RUN)
        record, predictions = Record.load(folder.record), Predictions.load(folder.predictions)
        spent = record.timings
        run = RowRun(
            forward_s=spent["forward"] + spent["exact_forward"],
            metrics=record.metrics,
            person_ids=predictions.person_ids,
            keypoints=predictions.keypoints,
            extra_s=spent["intervals"] + spent["diagnosis"],
        )
        runs.append(run)
    return wall, runs


def _pure_forward(work: Workload, precision: Precision, scratch: Path) -> float:
    log = scratch / "forward.txt"
    run_python(["-m", "harness.speed.pure_forward", str(work.suite), str(work.data), precision], log)
    return float(log.read_text().splitlines()[-1])
