"""Runs and times processes from outside: any, `harness` with its peak memory, and MMPose's test script."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import RunError
from harness.files import read_json
from harness.speed.workload import WorkloadRow

_LOGGED = 2000
"""Maximum number of characters of a failed process's output in an error message."""


def run_python(
    arguments: Sequence[str], log: Path, accepted: Sequence[int] = (0,), seconds: float | None = None
) -> float:
    """Run Python in the folder of a log file, and return its wall time in seconds.

    Args:
        arguments: Arguments of the interpreter.
        log: File for its output, because a terminal might slow it down.
        accepted: Exit codes that are not failures.
        seconds: Time limit; None for no limit.

    Raises:
        RunError: It fails or exceeds the limit; the message contains the end of its output.
    """
    with log.open("w") as file:
        start = time.perf_counter()
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = subprocess.run(
                [sys.executable, *arguments],
                cwd=log.parent,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=seconds,
            ).returncode
        wall = time.perf_counter() - start
    if code not in accepted:
        said = log.read_text(errors="replace")[-_LOGGED:]
        what = f"more than {seconds:.0f} s" if code is None else f"exit code {code}"
        raise RunError(f"{what} of python {' '.join(arguments[:3])}:\n{said}")
    return wall


def run_with_peak(arguments: Sequence[str], log: Path, seconds: float | None = None) -> tuple[float, float]:
    """Run `harness` with arguments as `run_python` does, and return its wall time, seconds, and peak memory, MB."""
    command = ["-m", "harness.speed.own_peak", "harness", *arguments]
    wall = run_python(command, log, accepted=(0, 1), seconds=seconds)
    return wall, int(log.read_text().split()[-1]) / 1e6


def run_upstream_script(
    job: WorkloadRow, scratch: Path, seconds: float | None = None
) -> tuple[float, dict[str, Any], Path]:
    """Run MMPose's test script on a row.

    Args:
        job: The row.
        scratch: The folder for its output.
        seconds: Time limit; None for no limit.

    Returns:
        Its wall time in seconds without the time of our report; the report; and the file of its predictions.

    Raises:
        RunError: It fails or exceeds the limit.
    """
    report = scratch / job.id
    arguments = [str(report), str(job.config), str(job.checkpoint), "--work-dir", str(scratch / "work")]
    wall = run_python(["-m", "harness.speed.upstream_script", *arguments], scratch / "log.txt", seconds=seconds)
    found = read_json(report.with_suffix(".json"), "the report of MMPose's test script")
    return wall - found["report_s"], found, report.with_suffix(".npz")
