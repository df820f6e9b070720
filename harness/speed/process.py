"""Runs and times processes from outside."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import RunError

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
