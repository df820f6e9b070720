"""Conditions of a run that must not move a number: nothing of them may turn a comparison red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Harness
from trying import ROWS, run_right

OPTIONS = ("--limit", 8)
ELSEWHERE = {
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "tr_TR.UTF-8",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "7",
    "OMP_NUM_THREADS": "3",
    "COLUMNS": "40",
    "TERM": "dumb",
}
"""Another locale, whose lower-case I has no dot, another time zone, hash seed, number of threads and terminal."""


@pytest.mark.timeout(300)
def test_another_process_elsewhere(harness: Harness, demo: Path, tmp_path: Path) -> None:
    """All at once: locale, time zone, hash seed, threads, batch size, paths with spaces and read-only data."""
    run_right(harness, demo, tmp_path / "right", OPTIONS, ("dark",))
    data = tmp_path / "Daten Ordner ä" / "data"
    shutil.copytree(demo, data)
    for path in [*data.rglob("*"), data]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    out = tmp_path / "out put"
    command = ["run", "demo", "--rows", ROWS["dark"], "--data", data, "--out", out, "--offline"]
    command += ["--batch-size", 3, *OPTIONS]
    working = tmp_path / "working folder"
    working.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "harness", *map(str, command)],
        env=os.environ | ELSEWHERE,
        cwd=working,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    code, text, err = harness("compare", out, tmp_path / "right", "demo", "--rows", ROWS["dark"], "--data", data)
    assert (code, err) == (0, ""), text
    assert "Green: 1 run: 1 same" in text
