"""Describes the environment of a run: packages, commit, processor, GPU and driver."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from harness.openmmlab import mmcv_ext, xtcocotools_ext

SCHEMA_VERSION = 1

PACKAGES = [
    "pose-harness",
    "torch",
    "torchvision",
    "mmpose",
    "mmengine",
    "mmcv",
    "mmcv-lite",
    "mmdet",
    "mmpretrain",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "xtcocotools",
    "pyarrow",
    "poseval",
]
"""The packages whose version can change a number."""


def describe_environment(device: str) -> dict[str, Any]:
    """Describe this process's environment as JSON-able values."""
    gpu = None
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        gpu = {
            "name": properties.name,
            "memory": properties.total_memory,
            "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        }
    source = Path(__file__).parents[1]
    return {
        "schema_version": SCHEMA_VERSION,
        "python": platform.python_version(),
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "mmcv_ops": mmcv_ext.install(),
        "xtcocotools": xtcocotools_ext.install(),
        "commit": _output("git", "-C", str(source), "rev-parse", "HEAD"),
        "dirty": bool(_output("git", "-C", str(source), "status", "--porcelain", "--untracked-files=no", ".")),
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "cuda": torch.version.cuda,
        "tf32": torch.backends.cudnn.allow_tf32,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _output(*command: str) -> str | None:
    """Return the output of a command; None if it is not installed or fails, as git does outside a repository."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
