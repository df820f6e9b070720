"""A GPU seen from outside while a process uses it: how busy it is, and how much of its memory is taken."""

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
    """What was seen; complete when the watch ends."""

    busy: list[float] = field(default_factory=list)
    """Share of the time in which the GPU computed, of each interval."""
    memory_mb: list[float] = field(default_factory=list)
    """10⁶ bytes that were taken, those of other processes included."""

    @property
    def mean_busy(self) -> float | None:
        """The mean share; None where nothing was seen."""
        return mean(self.busy) if self.busy else None

    @property
    def peak_mb(self) -> float | None:
        """The most memory; None where nothing was seen."""
        return max(self.memory_mb, default=None)


@contextlib.contextmanager
def watch(device: torch.device) -> Iterator[Seen]:
    """Meanwhile, ask nvidia-smi about a device five times a second; without it, or on a CPU, nothing is seen."""
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
    """Add lines such as `97, 4312`, percent and MiB; what is not of this form, such as `[N/A]`, is left out."""
    for line in lines:
        with contextlib.suppress(ValueError):
            busy, memory = (float(part) for part in line.split(","))
            seen.busy.append(busy / 100)
            seen.memory_mb.append(memory * _MIB)
