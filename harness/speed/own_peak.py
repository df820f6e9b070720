"""`own_peak MODULE ARGUMENT...`: runs a module as `python -m` does, then prints the process's peak memory, in bytes."""

import runpy
import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the peak of resident memory of this process, bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss, because on Linux it includes the memory of the parent process before exec.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


if __name__ == "__main__":
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        print(peak_memory())
