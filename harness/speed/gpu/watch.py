"""Watches a GPU while a process uses it: its utilization and its used memory."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import mean

import torch

_EVERY_MS = 200
_MIB = 2**20 / 1e6


@dataclass
class Seen:
    """Samples of a GPU; complete when the watch ends."""

    busy: list[float] = field(default_factory=list)
    """Share of the time in which the GPU computed, for each interval."""
    memory_mb: list[float] = field(default_factory=list)
    """Used memory in 10⁶ bytes, including other processes."""

    @property
    def mean_busy(self) -> float | None:
        """The mean share; None without samples."""
        return mean(self.busy) if self.busy else None

    @property
    def peak_mb(self) -> float | None:
        """The peak of the used memory; None without samples."""
        return max(self.memory_mb, default=None)


@contextlib.contextmanager
def watch(device: torch.device) -> Iterator[Seen]:
    """Query nvidia-smi five times a second within the context; without it, or on a CPU, there are no samples."""
    seen = Seen()
    program = shutil.which("nvidia-smi")
    if device.type != "cuda" or program is None:
        yield seen
        return
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    chosen = f"GPU-{uuid}" if uuid else str(device.index or 0)
    question = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    with tempfile.TemporaryFile("w+") as file:
        process = subprocess.Popen(
            [program, "-i", chosen, *question, "-lms", str(_EVERY_MS)], stdout=file, stderr=subprocess.DEVNULL
        )
        try:
            yield seen
        finally:
            process.terminate()
            process.wait()
            file.seek(0)
            read_lines(file, seen)


def read_lines(lines: Iterator[str], seen: Seen) -> None:
    """Add lines such as `97, 4312` (percent, MiB); lines of another form, such as `[N/A]`, are skipped."""
    for line in lines:
        with contextlib.suppress(ValueError):
            busy, memory = (float(part) for part in line.split(","))
            seen.busy.append(busy / 100)
            seen.memory_mb.append(memory * _MIB)
