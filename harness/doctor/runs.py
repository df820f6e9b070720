"""Checks with runs of the demo: interrupted and resumed, and with two workers; the results must not change."""

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.doctor.check import Finding
from harness.doctor.precision import require_precision
from harness.metrics.match import evaluate
from harness.predictions import Predictions
from harness.protocol import Precision
from harness.run.executors.base import Executor, Lost
from harness.run.executors.devices import Devices
from harness.run.executors.here import Here
from harness.run.passes import predict_in_passes
from harness.run.plan import Plan, Settings, make_plan
from harness.run.progress import SilentProgress
from harness.run.worker import Result, Task
from harness.run_folder import RunFolder
from harness.suites.load import DEMO, load_suite, select_rows

ROW = "litehrnet-18-128x96"
BATCH = 8
TASKS_BEFORE_STOP = 3


class Counting(Here):
    """An executor in this process that counts tasks, and simulates Ctrl-C after some.

    Args:
        device: The device.
        most: Number of tasks before Ctrl-C; None for no interruption.
    """

    def __init__(self, device: str, most: int | None = None) -> None:
        super().__init__(device, lambda _: None)
        self.done = 0
        self._most = most

    def next(self) -> tuple[Task, list[Result] | Lost]:
        """As `Executor.next`.

        Raises:
            KeyboardInterrupt: `most` tasks are done.
        """
        if self.done == self._most:
            raise KeyboardInterrupt
        self.done += 1
        return super().next()


def demo_plan(device: str, data: Path, batch_size: int, row: str = ROW, precision: Precision = "fp32") -> Plan:
    """Return the plan of a demo row on rendered people."""
    suite = load_suite(DEMO)
    (found,) = select_rows(suite, row)
    settings = Settings.in_folder(data, device, batch_size=batch_size, precision=precision)
    return make_plan(suite, found, "val", settings)


def predict(plan: Plan, folder: Path, executor: Executor, task_seconds: float = 0.0) -> Predictions:
    """Predict a run in a folder, in tasks of one batch each.

    Raises:
        Exception: The error of the run, if it failed.
    """
    with executor:
        for item in predict_in_passes(
            [("demo", plan, RunFolder(folder))], plan.people(), executor, SilentProgress(), task_seconds
        ):
            if item is not None:
                _, outcome = item
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome[0]
    raise AssertionError("a pass has an outcome for each run")


def check_interrupted(device: str, data: Path) -> Finding:
    """Interrupt a run after some tasks and repeat it: only the other tasks are done, and the bits do not change."""
    plan = demo_plan(device, data, BATCH)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Counting(device)
        expected = predict(plan, Path(scratch, "whole"), whole)
        try:
            predict(plan, Path(scratch, "stopped"), Counting(device, TASKS_BEFORE_STOP))
        except KeyboardInterrupt:
            pass
        else:
            return Finding(problems=[f"{whole.done} tasks are too few to interrupt"])
        rest = Counting(device)
        found = predict(plan, Path(scratch, "stopped"), rest)
    finding = Finding(figures={"people": len(expected), "tasks": whole.done, "tasks_after_stop": rest.done})
    finding.require(
        rest.done == whole.done - TASKS_BEFORE_STOP,
        f"{rest.done} tasks were done after the interruption, but {whole.done - TASKS_BEFORE_STOP} were left",
    )
    _compare_bits(finding, found, expected)
    return finding


def check_two_workers(device: str, data: Path) -> Finding:
    """Let two processes share the device: both must work, and the bits must equal those of one process."""
    plan = demo_plan(device, data, BATCH)
    with tempfile.TemporaryDirectory() as scratch:
        expected = predict(plan, Path(scratch, "one"), Counting(device))
        found = predict(plan, Path(scratch, "two"), Devices([device, device], lambda _: None))
        processes = set(re.findall(r"process (\d+) on", RunFolder(Path(scratch, "two")).log.read_text()))
    finding = Finding(figures={"people": len(expected), "workers": len(processes)})
    finding.require(len(processes) == 2, f"{len(processes)} processes did tasks, not 2")
    _compare_bits(finding, found, expected)
    return finding


def check_demo_precision(precision: Precision, row: str, device: str, data: Path) -> Finding:
    """Measure the effect of a precision on keypoints and AP of a trained network, relative to fp32."""
    require_precision(precision, device)
    limit = 1.0
    plans = [demo_plan(device, data, 32, row, each) for each in ("fp32", precision)]
    with tempfile.TemporaryDirectory() as scratch:
        exact, faster = (
            predict(plan, Path(scratch, plan.protocol.compute.precision), Counting(device), 1e9) for plan in plans
        )
    moved = np.linalg.norm(faster.keypoints - exact.keypoints, axis=-1)
    finding = Finding(figures={"people": len(exact)})
    finding.at_most("median_px", float(np.median(moved)), limit)
    before, after = (evaluate(made, plans[0].protocol, data)["AP"] or 0.0 for made in (exact, faster))
    for name, value in (("p99_px", np.quantile(moved, 0.99)), ("max_px", moved.max()), ("AP_change", after - before)):
        finding.add(name, float(value))
    return finding


def _compare_bits(finding: Finding, found: Predictions, expected: Predictions) -> None:
    """Add a problem for each array of two predictions that differs in a bit."""
    for name in ("keypoints", "keypoint_scores"):
        ours: Any = getattr(found, name)
        other: Any = getattr(expected, name)
        wrong = int((ours != other).sum())
        finding.require(wrong == 0, f"{wrong} of {other.size} numbers of {name} differ")
