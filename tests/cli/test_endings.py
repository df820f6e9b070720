"""Exit of the command line on system errors: full disks, closed pipes, signals."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(
    not FULL.exists() or not stat.S_ISCHR(FULL.stat().st_mode), reason="the system has no /dev/full"
)


def start(*arguments: str | Path, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload, no-any-return]


@full_disk
@pytest.mark.parametrize("arguments", [("list", "demo"), ("list", "demo", "--json"), ("check", "demo")], ids=" ".join)
def test_a_full_disk_is_one_line(arguments: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        process = start(*arguments, stdout=full)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (3, "error: standard output: No space left on device\n")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    results = Path(__file__).parents[2] / "results"
    target = tmp_path / "missing" / "page.md"
    (tmp_path / "missing").write_text("a file where a folder should be")
    process = start("compare", results, results, "demo", "--markdown", target, stdout=subprocess.DEVNULL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_that_left_is_no_number_that_is_off() -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("list", "coco", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (141, "")


@full_disk
def test_events_on_a_full_disk_leave_the_run_going(demo: Path, tmp_path: Path) -> None:
    options = ("--data", demo, "--out", tmp_path, "--limit", "1", "--rows", "*mpii*", "--events", FULL)
    process = start("run", "demo", *options, stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "1 row: 1 partial" in out
    assert err.count("/dev/full: No space left on device; no more events are written") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no SIGHUP")
def test_a_closed_terminal_stops_a_run_tidily(demo: Path, tmp_path: Path) -> None:
    """SIGHUP has its default handling here, whatever the parent ignores."""
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from harness.cli import events, main\n"
        "row = events.Events.write\n"
        "def write(self, event, **fields):\n"
        "    row(self, event, **fields)\n"
        "    if event == 'begin': signal.raise_signal(signal.SIGHUP)\n"
        "events.Events.write = write\n"
        f"sys.exit(main(['run', 'demo', '--data', {str(demo)!r}, '--out', {str(tmp_path)!r}, '--rows', '*mpii*']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 129, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.lock"))
