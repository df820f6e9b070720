"""The wheels for a machine without network: their list, and the wheel that is reduced in size."""

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "gpu" / "gather_wheels.py"
LOCK = """# a comment
numpy==1.26.4 ; python_full_version < '3.12'
numpy==2.5.2 ; python_full_version >= '3.12'
colorama==0.4.6 ; platform_machine == 'AMD64' and sys_platform == 'win32'
click==8.5.1
"""


@pytest.fixture(scope="module")
def gather() -> Any:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("gather_wheels", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_versions_are_those_of_the_lock(gather: Any) -> None:
    names = ("click", "numpy")
    assert gather.wanted(LOCK, names, "3.12", "manylinux_2_28_x86_64") == ["click==8.5.1", "numpy==2.5.2"]
    assert gather.wanted(LOCK, names, "3.11", "manylinux_2_28_x86_64") == ["click==8.5.1", "numpy==1.26.4"]
    assert gather.wanted(LOCK, ("colorama",), "3.12", "win_amd64") == ["colorama==0.4.6"]
    with pytest.raises(SystemExit, match=r"has no colorama for Python 3\.12"):
        gather.wanted(LOCK, ("colorama",), "3.12", "manylinux_2_28_x86_64")


def test_the_lock_has_them_all(gather: Any) -> None:
    for python in ("3.11", "3.12", "3.13", "3.14"):
        found = gather.wanted(gather.LOCK.read_text(), gather.NAMES, python, "manylinux_2_28_x86_64")
        assert len(found) == len(gather.NAMES)


def test_platforms(gather: Any) -> None:
    tags = gather.platforms("manylinux_2_17_x86_64")
    assert tags[0] == "manylinux_2_17_x86_64"
    assert {"manylinux_2_5_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert "manylinux1_aarch64" not in gather.platforms("manylinux_2_28_aarch64")
    assert gather.platforms("win_amd64") == ["win_amd64"]


def test_a_wheel_without_compiled_parts(gather: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "tool-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tool/__init__.py", "NAME = 1\n")
        archive.writestr("tool/_mask.cpython-311-x86_64-linux-gnu.so", b"\x7fELF")
        archive.writestr("tool.libs/lib.so.1", b"\x7fELF")
        archive.writestr("tool-1.0.dist-info/METADATA", "Name: tool\n")
        archive.writestr("tool-1.0.dist-info/WHEEL", "Root-Is-Purelib: false\nTag: cp311-cp311-manylinux1_x86_64\n")
        archive.writestr("tool-1.0.dist-info/RECORD", "tool/__init__.py,,\n")
    smaller = gather.without_compiled_parts(wheel, tmp_path)
    assert smaller.name == "tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(smaller) as archive:
        names = set(archive.namelist())
        record = archive.read("tool-1.0.dist-info/RECORD").decode()
        assert b"Tag: py3-none-any" in archive.read("tool-1.0.dist-info/WHEEL")
    assert names == {"tool/__init__.py", *(f"tool-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD"))}
    assert {line.split(",")[0] for line in record.splitlines()} == names
