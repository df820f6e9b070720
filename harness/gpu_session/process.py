"""Runs processes with a time limit; each process has its own group, which is killed when the time is over."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_GRACE_S = 3.0
"""Seconds between the request to end and the kill."""
_KEPT = 60_000
"""Characters of a process's output that the log keeps: half from its beginning, half from its end."""
_POLL_S = 0.1


@dataclass(frozen=True)
class Ended:
    """A process that ended or was killed."""

    code: int | None
    """Its exit code; None if its time was over."""
    seconds: float
    output: str
    """Standard output and standard error."""


def run_within(command: Sequence[str], seconds: float, environment: Mapping[str, str], scratch: Path) -> Ended:
    """Run a command for at most `seconds`; the processes that it started are ended with it."""
    path = scratch / "output.txt"
    start = time.monotonic()
    with path.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
    return Ended(code, time.monotonic() - start, path.read_text(errors="replace"))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started: first by SIGTERM, then by SIGKILL."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except (ProcessLookupError, PermissionError):  # PermissionError if only zombies are left
            break
        deadline = time.monotonic() + _GRACE_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    process.wait()


def shortened(text: str, most: int = _KEPT) -> str:
    """Return a text; if it is longer than `most` characters, its middle is left out."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
