"""The verbs that work without MMPose, and the one-line message of the others."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.openmmlab import INSTALL

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mmcv", "mmdet", "mmengine", "mmpose", "mmpretrain"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from harness.cli import main
sys.exit(main(sys.argv[1:]))
"""


def call(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_what_needs_nothing_of_it(tmp_path: Path, demo: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(ROOT / "results" / "demo", results / "demo")
    run = results / "demo" / "litehrnet-18-mpii-128x128" / "val"
    for arguments in (
        ("list",),
        ("compare", results, results, "demo"),
        ("report", results, "--out", tmp_path / "site"),
        ("score", run, "--data", demo),
    ):
        done = call(tmp_path, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("arguments", [("run", "demo"), ("check", "demo"), ("fetch", "demo", "--dry-run")], ids=str)
def test_what_needs_it_says_what_to_type(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == 3
    error, hint = done.stderr.splitlines()[-2:]
    assert re.fullmatch(r"error: this needs MMPose, and mm\w+ is not installed", error)
    assert hint == f"  {INSTALL}"
