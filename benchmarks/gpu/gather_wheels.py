"""Gathers the wheels that a machine without network lacks: `gather_wheels.py FOLDER [--python 3.12] [--platform ...]`.

Such a machine has Python, Torch, torchvision, NumPy, OpenCV, SciPy, pandas, pyarrow, h5py, Numba, Matplotlib, Jinja2,
Pillow, psutil, PyYAML, requests and Rich. The others are taken at the versions of requirements.lock. Of xtcocotools,
whose wheels are for Python 3.11, the Python files alone come along: pycocotools has the compiled part. Needs pip.
"""

import argparse
import base64
import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).parents[2] / "requirements.lock"
NAMES = (
    "addict",
    "annotated-types",
    "click",
    "filelock",
    "importlib-metadata",
    "json-tricks",
    "lazy-importer",
    "markdown",
    "mat4py",
    "mmcv-lite",
    "mmdet",
    "mmengine",
    "mmpose",
    "mmpretrain",
    "model-index",
    "modelindex",
    "munkres",
    "ordered-set",
    "platformdirs",
    "pycocotools",
    "pydantic",
    "pydantic-core",
    "setuptools",
    "shapely",
    "termcolor",
    "terminaltables",
    "typing-inspection",
    "yapf",
    "zipp",
)
XTCOCOTOOLS = "xtcocotools==1.14.3"
XTCOCOTOOLS_PYTHON, XTCOCOTOOLS_PLATFORM = "3.11", "manylinux_2_17_x86_64"
MOST_MB = 40
COMPILED = (".so", ".pyd", ".dylib", ".pyx", ".c", ".h")


def wanted(lock: str, names: tuple[str, ...], python: str, platform: str) -> list[str]:
    """Return the pinned requirements of names, as the lock has them for a Python and a platform.

    Raises:
        SystemExit: The lock has none of a name.
    """
    machine = "aarch64" if "aarch64" in platform else "arm64" if "arm64" in platform else "x86_64"
    system = "darwin" if platform.startswith("macosx") else "win32" if platform.startswith("win") else "linux"
    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_machine": "AMD64" if system == "win32" else machine,
    }
    found: dict[str, str] = {}
    for line in lock.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(target):
            found[requirement.name] = f"{requirement.name}{requirement.specifier}"
    if missing := [name for name in names if name not in found]:
        raise SystemExit(f"{LOCK} has no {', '.join(missing)} for Python {python} on {platform}")
    return [found[name] for name in names]


def platforms(oldest: str) -> list[str]:
    """Return a platform and, of manylinux, all that a machine with it can use."""
    kind, _, rest = oldest.partition("_")
    if kind != "manylinux":
        return [oldest]
    major, minor, machine = rest.split("_", 2)
    older = [f"manylinux_{major}_{number}_{machine}" for number in range(int(minor), 4, -1)]
    return [*older, f"manylinux2014_{machine}", *([f"manylinux1_{machine}"] if machine == "x86_64" else [])]


def download(requirements: list[str], python: str, tags: list[str], folder: Path) -> None:
    """Download wheels, and nothing that they require."""
    options = [word for tag in tags for word in ("--platform", tag)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary=:all:",
        "--implementation",
        "cp",
    ]
    subprocess.run([*command, "--python-version", python, *options, "-d", str(folder), *requirements], check=True)


def without_compiled_parts(wheel: Path, folder: Path) -> Path:
    """Write a wheel for any Python and platform with the Python files of another one, and return its path."""
    name, version, *_ = wheel.name.split("-")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    record = io.StringIO()
    lines = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.namelist():
            if ".libs/" in member or Path(member).suffix in COMPILED or member == f"{info}/RECORD":
                continue
            data = source.read(member)
            if member == f"{info}/WHEEL":
                data = b"Wheel-Version: 1.0\nGenerator: gather_wheels\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.writerow((member, f"sha256={digest}", len(data)))
            target.writestr(member, data)
        lines.writerow((f"{info}/RECORD", "", ""))
        target.writestr(f"{info}/RECORD", record.getvalue())
    return path


def main() -> int:
    """Gather them, and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of that machine (default: 3.12)")
    parser.add_argument("--platform", default="manylinux_2_28_x86_64", help="of that machine (default: %(default)s)")
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME", help="further packages of requirements.lock")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if others := list(given.folder.glob("*.whl")):
        raise SystemExit(f"{given.folder} has {len(others)} wheels already; name an empty folder")
    names = (*NAMES, *given.also)
    requirements = wanted(LOCK.read_text(), names, given.python, given.platform)
    download(requirements, given.python, platforms(given.platform), given.folder)
    with tempfile.TemporaryDirectory() as scratch:
        download([XTCOCOTOOLS], XTCOCOTOOLS_PYTHON, platforms(XTCOCOTOOLS_PLATFORM), Path(scratch))
        (wheel,) = Path(scratch).glob("*.whl")
        without_compiled_parts(wheel, given.folder)
    wheels = sorted(given.folder.glob("*.whl"))
    size = sum(path.stat().st_size for path in wheels) / 1e6
    print(f"{len(wheels)} wheels, {size:.1f} MB, in {given.folder}")
    if size > MOST_MB:
        print(f"more than {MOST_MB} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
