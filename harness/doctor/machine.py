"""Describes a machine: packages and their traps, devices and their settings, disk, cache, data."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from harness.assets.cache import cache_folder
from harness.fields import Fields
from harness.openmmlab import INSTALL, PACKAGES

NEEDED = ("torch", "numpy", "opencv", "numba", "mmengine", "mmcv", "mmdet", "mmpretrain", "mmpose", "pycocotools")
"""Packages that every network needs."""
VARIANTS = {
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "mmcv": ("mmcv-lite", "mmcv"),
}
"""Distributions that provide the same modules."""
TESTED_TORCH = ((2, 11), (2, 14))
"""The oldest and newest release of torch with which the project was tested."""


class Fact(Fields):
    """A line of the description."""

    subject: str
    value: str
    remark: str = ""
    """A known trap: its effect, and what to do."""
    fatal: bool = False
    """Whether no network can run because of it."""


def describe_machine(data: Path) -> dict[str, Any]:
    """Return the facts about a machine by section, each a list of facts as JSON-able values."""
    sections = {"packages": package_facts(), "devices": device_facts(), "storage": storage_facts(data)}
    return {name: [fact.model_dump() for fact in facts] for name, facts in sections.items()}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (2, 14) of 2.14.1+cu130."""
    return tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdecimal())


def package_facts() -> Iterator[Fact]:
    """Yield the packages that can change numbers, with their known problems."""
    yield Fact(subject="python", value=platform.python_version())
    for name in NEEDED:
        found = [(each, version) for each in VARIANTS.get(name, (name,)) if (version := _version(each))]
        if not found:
            yield _absent(name)
        for package, version in found:
            yield Fact(subject=package, value=version, remark=_trap(name, package, version, len(found)))
    yield _compiled_operators()
    for name, without in (
        (
            "xtcocotools",
            "MMPose's own COCO metrics are left out with --engine upstream; pose-harness needs only pycocotools",
        ),
        (
            "poseval",
            "MMPose's own PoseTrack18 metrics are left out with --engine upstream; pose-harness does not need poseval",
        ),
        ("pkg_resources", "mmengine imports it: pip install 'setuptools<81'"),
        ("ray", ""),
    ):
        there = importlib.util.find_spec(name) is not None
        yield Fact(
            subject=name, value=_version(name) or ("there" if there else "absent"), remark="" if there else without
        )


def _absent(name: str) -> Fact:
    package = VARIANTS.get(name, (name,))[0]
    step = INSTALL if name in PACKAGES else f"pip install {package}"
    return Fact(subject=package, value="absent", remark=f"every network needs it: {step}", fatal=True)


def _trap(name: str, package: str, version: str, variants: int) -> str:
    """Return the known problem of a package; empty if there is none."""
    if variants > 1:
        return f"several packages provide these modules, and only one is in effect: pip uninstall {package}"
    numbers = _numbers(version)
    match name:
        case "opencv" if numbers >= (5,):
            return "its warpAffine gives other pixels than 4.x: MMPose's own crops change, this project's crops do not"
        case "numpy" if numbers >= (2,):
            return "it rounds single precision by other rules than NumPy 1, in MMPose's own OKS-NMS too"
        case "torch" if not TESTED_TORCH[0] <= numbers <= TESTED_TORCH[1]:
            return f"tested with {' to '.join('.'.join(map(str, each)) for each in TESTED_TORCH)}"
        case "mmcv" if numbers >= (2, 2):
            return "MMPose 1.3 and MMDetection 3.3 do not accept 2.2 and later: pip install 'mmcv-lite<2.2'"
        case "mmpose" if numbers[:2] != (1, 3):
            return "the published tables belong to 1.3.2: pip install --no-deps 'mmpose>=1.3.2,<1.4'"
    return ""


def _compiled_operators() -> Fact:
    compiled = importlib.util.find_spec("mmcv") is not None and importlib.util.find_spec("mmcv._ext") is not None
    value = "compiled, from an mmcv that must be built for this torch" if compiled else "replacements from torchvision"
    return Fact(subject="mmcv's operators", value=value)


def device_facts() -> Iterator[Fact]:
    """Yield the processor, the GPUs and torch's default settings for them."""
    memory = psutil.virtual_memory()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Fact(
        subject="cpu",
        value=f"{platform.machine()}, {usable} of {os.cpu_count()} cores usable, "
        f"{_gb(memory.available)} of {_gb(memory.total)} GB free",
    )
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    driver = _drivers()
    yield Fact(subject="torch for", value=f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only")
    if not torch.cuda.is_available():
        remark = (
            "torch cannot use it: torch is built for another kind of device, or the driver is too old" if driver else ""
        )
        yield Fact(subject="gpu", value=f"driver {driver}" if driver else "none", remark=remark)
        return
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        yield Fact(
            subject=f"cuda:{index}",
            value=f"{found.name}, {_gb(free)} of {_gb(total)} GB free, compute capability {found.major}.{found.minor}, "
            f"driver {driver or '?'}",
        )
    cudnn: Any = torch.backends.cudnn
    yield Fact(
        subject="cudnn",
        value=f"{cudnn.version()}, benchmark {_on(cudnn.benchmark)}, deterministic {_on(cudnn.deterministic)}",
        remark="" if cudnn.enabled else "cuDNN is disabled",
    )
    yield Fact(
        subject="tf32 by default",
        value=f"convolutions {_on(cudnn.allow_tf32)}, matrix products {_on(torch.backends.cuda.matmul.allow_tf32)}",
        remark="MMPose's own scripts compute convolutions in TF32 here; --precision fp32 turns it off"
        if cudnn.allow_tf32
        else "",
    )


def storage_facts(data: Path) -> Iterator[Fact]:
    """Yield the cache and the data folder, with the free space on their disks."""
    for name, folder in (("cache", cache_folder()), ("data", data)):
        existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        there = "" if folder.is_dir() else ", does not exist"
        yield Fact(subject=name, value=f"{folder}{there}, {_gb(shutil.disk_usage(existing).free)} GB free on its disk")


def _drivers() -> str | None:
    """Return the version of NVIDIA's driver; None if there is none."""
    command = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return said[0] if said else None


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _on(setting: bool) -> str:
    return "on" if setting else "off"
