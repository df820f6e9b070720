"""Deaths, faults and a second process that a run survives, through `harness run`."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import psutil
import pytest
from conftest import Harness
from survival import PEOPLE, ROWS, arguments, assert_same, folder, make_whole, ranges_done, record, workers_of

from harness.errors import RunError
from harness.predict import crop_stream
from harness.predict.crops import read_image
from harness.predictions import Predictions
from harness.record import Record
from harness.run import passes
from harness.run.executors.base import Lost, portable
from harness.run.executors.here import Here
from harness.run.locks import Holder
from harness.run.shards import Shard, ShardStore
from harness.run.worker import Task, Worker


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide all work into the smallest tasks: one batch each."""
    monkeypatch.setattr(passes, "TASK_SECONDS", 0)


@pytest.fixture(scope="module")
def whole(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an output folder of an uninterrupted run."""
    return make_whole(demo, tmp_path_factory.mktemp("whole"))


Doing = Callable[[Worker, Task], list[Any]]


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Doing], None]:
    """Return a function that replaces a worker's way to do tasks."""
    return lambda do: monkeypatch.setattr(Worker, "do", do)


DO = Worker.do


def stop_after(count: int) -> Doing:
    """Return a way to do tasks that does some, and then stops as if the user pressed Ctrl-C."""
    tasks: list[Task] = []

    def do(worker: Worker, task: Task) -> list[Any]:
        if len(tasks) == count:
            raise KeyboardInterrupt
        tasks.append(task)
        return DO(worker, task)

    return do


def test_the_same_command_goes_on(harness: Harness, demo: Path, whole: str, small_tasks: None, doing: Any) -> None:
    doing(stop_after(3))
    code, _, err = harness(*arguments(demo))
    assert code == 130
    assert "stopped: 0 of 2 rows are done; repeat the command to continue" in err
    assert not list(Path("runs").rglob("*.lock"))
    code, out, _ = harness(*arguments(demo), "--status")
    assert code == 0
    assert [line.split(maxsplit=1)[1] for line in out.splitlines()[:2]] == ["begun     71 %"] * 2

    doing(DO)
    assert harness(*arguments(demo))[0] == 0
    for row in ROWS:
        assert ranges_done(row) == [(0, 4), (4, 8), (8, 12), (12, 16), (16, 17)]
    assert_same("runs", whole)
    _, out, _ = harness(*arguments(demo), "--status")
    assert [line.split() for line in out.splitlines()[:2]] == [[f"demo/{row}", "done", "partial"] for row in ROWS]


def test_images_that_changed_meanwhile_are_predicted_anew(
    harness: Harness, demo: Path, small_tasks: None, doing: Any
) -> None:
    shutil.copytree(demo, "data")
    doing(stop_after(3))
    assert harness(*arguments(Path("data")))[0] == 130
    for path in Path("data").rglob("*.png"):
        assert cv2.imwrite(str(path), 255 - read_image(path))
    doing(DO)
    assert harness(*arguments(Path("data")))[0] == 0
    assert harness(*arguments(Path("data"), out="afresh"))[0] == 0
    assert_same("runs", "afresh")


def test_rows_at_different_places_join(harness: Harness, demo: Path, whole: str, small_tasks: None, doing: Any) -> None:
    """One row has more done than the other; both end as if uninterrupted."""
    seen: list[tuple[int, int, int]] = []
    left = [4]

    def counted(worker: Worker, task: Task) -> list[Any]:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        seen.append((task.start, task.end, len(task.plans)))
        return DO(worker, task)

    doing(counted)
    assert harness(*arguments(demo, rows=ROWS[:1]))[0] == 130
    left[0] = 1
    assert harness(*arguments(demo, rows=ROWS[1:]))[0] == 130
    left[0] = 100
    seen.clear()
    assert harness(*arguments(demo))[0] == 0
    assert seen == [(4, 8, 1), (8, 12, 1), (12, 16, 1), (16, 17, 2)]
    assert_same("runs", whole)


def test_a_corrupt_shard_is_made_again(
    harness: Harness, demo: Path, whole: str, small_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = ShardStore.save, []

    def corrupted(store: ShardStore, shard: Shard) -> None:
        save(store, shard)
        saved.append(shard)
        if len(saved) == 5:
            path = store._path(shard.start, shard.end)
            path.write_bytes(path.read_bytes()[:-1] + b"!")

    monkeypatch.setattr(ShardStore, "save", corrupted)
    assert harness(*arguments(demo))[0] == 0
    assert len(saved) == 2 * 5 + 1
    assert_same("runs", whole)


class Unlucky(Here):
    """Loses the worker of some tasks."""

    loses: Callable[[Task], bool]

    def next(self) -> Any:
        if type(self).loses(self._tasks[0]):
            return self._tasks.popleft(), Lost("the process died: SIGKILL")
        return super().next()


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Task], bool]], None]:
    """Return a function that takes a condition for tasks whose worker is lost."""
    monkeypatch.setattr("harness.run.executors.choose.Here", Unlucky)
    return lambda loses: monkeypatch.setattr(Unlucky, "loses", loses, raising=False)


@pytest.mark.parametrize(("times", "lost"), [(3, False), (1000, True)])
def test_lost_workers(harness: Harness, demo: Path, whole: str, losing: Any, times: int, lost: bool) -> None:
    """A run that kills its workers is identified, and the others continue."""
    left = iter(range(times))

    def loses(task: Task) -> bool:
        guilty = any("litehrnet-18_coco" in str(plan.config.filename) for plan in task.plans)
        return guilty and next(left, None) is not None

    losing(loses)
    code, out, _ = harness(*arguments(demo))
    assert code == (3 if lost else 0)
    assert record(ROWS[1]).status == "partial"
    if lost:
        reason = "3 workers were lost during this run; the last one: the process died: SIGKILL"
        assert record(ROWS[0]).reason == reason
        assert f"failed: {reason} [demo/{ROWS[0]}]" in out
        assert "1 row is not done; repeat the command to try again" in out
    else:
        assert_same("runs", whole)


def test_losses_of_other_people_are_not_counted(
    harness: Harness, demo: Path, whole: str, small_tasks: None, losing: Any
) -> None:
    """On preemptible machines, a long run loses more than a few workers."""
    seen: Counter[int] = Counter()

    def loses(task: Task) -> bool:
        seen[task.start] += 1
        return seen[task.start] <= 2

    losing(loses)
    assert harness(*arguments(demo, rows=ROWS[:1]))[0] == 0
    assert sum(seen.values()) == 3 * len(ranges_done(ROWS[0]))
    assert_same(f"runs/demo/{ROWS[0]}", f"{whole}/demo/{ROWS[0]}")


@pytest.mark.parametrize(
    ("code", "times", "fine"), [(errno.EIO, 2, True), (errno.EIO, 99, False), (errno.EACCES, 1, False)]
)
def test_a_read_error_may_pass(
    harness: Harness, demo: Path, monkeypatch: pytest.MonkeyPatch, code: int, times: int, fine: bool
) -> None:
    left = [times]

    def flaky(path: Path) -> Any:
        if left[0]:
            left[0] -= 1
            raise RunError(f"image cannot be read: {path}") from OSError(code, os.strerror(code))
        return read_image(path)

    monkeypatch.setattr(crop_stream, "read_image", flaky)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    found, out, _ = harness(*arguments(demo, rows=ROWS[1:]))
    assert found == (0 if fine else 3)
    assert ("image cannot be read" in out) == (not fine)


def test_host_memory_may_come_back(harness: Harness, demo: Path, whole: str, doing: Any) -> None:
    failures = iter([MemoryError("Unable to allocate 3 GiB"), None, MemoryError("Unable to allocate 3 GiB")])

    def short(worker: Worker, task: Task) -> list[Any]:
        failure = next(failures, None)
        return [failure] * len(task.plans) if failure else DO(worker, task)

    doing(short)
    assert harness(*arguments(demo))[0] == 0
    assert_same("runs", whole)


FULL = OSError(errno.ENOSPC, "No space left on device", "runs/x")


def test_a_full_disk_keeps_shards_in_memory(
    harness: Harness, demo: Path, whole: str, small_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(ShardStore, "save", full)
    assert harness(*arguments(demo))[0] == 0
    assert "people 0 to 4 are kept in memory only" in (folder(ROWS[0]) / "log.txt").read_text()
    assert_same("runs", whole)


@pytest.mark.parametrize("what", [Predictions, Record])
def test_a_full_disk_is_said(harness: Harness, demo: Path, monkeypatch: pytest.MonkeyPatch, what: Any) -> None:
    save, times = what.save, iter([True])

    def full(*given: object) -> None:
        if next(times, what is Record):
            raise FULL
        save(*given)

    monkeypatch.setattr(what, "save", full)
    code, out, _ = harness(*arguments(demo))
    assert code == 3
    assert "failed: the disk is full: runs/x" in out
    if what is Predictions:  # the other row fits into memory
        assert sorted([record(row).status for row in ROWS]) == ["failed", "partial"]
        assert "1 row is not done; repeat the command to try again" in out
    else:
        assert "the record could not be written: [Errno 28] No space left on device" in out
    monkeypatch.undo()


def test_errors_travel_between_processes() -> None:
    class LocalError(Exception):
        """An error that cannot be pickled."""

    error = RunError("what happened", "what to do")
    (kept, replaced, noted) = portable([error, LocalError("cause"), ValueError("cause")])
    assert kept is error
    assert (type(replaced), str(replaced)) == (RuntimeError, "LocalError: cause")
    assert "In the worker:\nValueError: cause" in noted.__notes__[0]  # type: ignore[union-attr]


def command(demo: Path, *extra: object) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "harness", *map(str, arguments(demo.absolute(), *extra))]


def until(happened: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def begin(demo: Path, *extra: object) -> subprocess.Popen[str]:
    """Start a run, and return after it has started on its first row."""
    process = subprocess.Popen(command(demo, *extra), stderr=subprocess.PIPE, text=True)
    lock = folder(ROWS[0]).with_name(".val.lock")
    until(lock.is_file)
    until(lock.read_bytes)
    assert Holder.model_validate_json(lock.read_bytes()).process == process.pid
    return process


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@POSIX
def test_two_processes_two_devices_and_deaths(demo: Path, tmp_path: Path, harness: Harness, whole: str) -> None:
    """Two commands share a folder; the working one has two workers, of which one is killed."""
    first = subprocess.Popen(command(demo, "--device", "cpu,cpu"), stdout=subprocess.PIPE, text=True)
    until(lambda: list(workers_of(first.pid)))
    _, out, _ = harness(*arguments(demo), "--status")
    assert f"running   process {first.pid} on " in out
    second = subprocess.Popen(
        [*command(demo), "--events", "events.jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    next(workers_of(first.pid)).kill()
    until(lambda: Path("events.jsonl").exists() and "waiting" in Path("events.jsonl").read_text())
    assert first.wait(300) == 0
    assert second.wait(300) == 0
    for row in ROWS:
        done = ranges_done(row)
        assert sum(end - start for start, end in done) == PEOPLE
    assert "the process for cpu died: SIGKILL" in (folder(ROWS[0]) / "log.txt").read_text()
    assert_same("runs", whole)
    events = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert [events[0]["event"], events[-1]["event"], events[-1]["exit_code"]] == ["begin", "end", 0]
    assert [event["row"] for event in events if event["event"] == "row"] == [f"demo/{row}" for row in ROWS]


@POSIX
@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize(("sent", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_and_a_stale_lock(demo: Path, harness: Harness, whole: str, sent: int, exit_code: int) -> None:
    """A Slurm job gets SIGTERM before its end. A lock file without a process locks nothing."""
    process = begin(demo)
    process.send_signal(sent)
    _, err = process.communicate(timeout=300)
    assert process.returncode == exit_code
    assert "stopped: 0 of 2 rows are done; repeat the command to continue" in err
    assert not list(Path("runs").rglob("*.lock"))

    folder(ROWS[0]).with_name(".val.lock").write_text('{"process": 1, "node": "gone", "since": "long ago"}')
    assert "running" not in harness(*arguments(demo), "--status")[1]
    assert harness(*arguments(demo))[0] == 0
    assert_same("runs", whole)


@POSIX
@pytest.mark.usefixtures("default_signals")
def test_in_the_background(demo: Path, harness: Harness, whole: str) -> None:
    """A run whose parent ignores SIGINT ignores it too; SIGTERM stops it and its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = begin(demo)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert_same("runs", whole)

    shutil.rmtree("runs")
    process = begin(demo, "--device", "cpu,cpu")
    until(lambda: list(workers_of(process.pid)))
    workers = list(workers_of(process.pid))
    process.terminate()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 143
    assert "stopped: 0 of 2 rows are done; repeat the command to continue" in err
    assert psutil.wait_procs(workers, timeout=300)[1] == []
    assert not list(Path("runs").rglob("*.lock"))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--device", "cpu,meta"), "--device cpu,meta: different kinds of processors round differently"),
        (("--address", "auto"), "--address needs --executor ray"),
        (("--executor", "ray", "--device", "cuda:1"), "--device cuda:1 does not fit --executor ray"),
        (("--engine", "upstream", "--device", "cpu,cpu"), "--engine upstream runs on one device"),
    ],
)
def test_wrong_usage(harness: Harness, demo: Path, extra: tuple[str, ...], message: str) -> None:
    code, _, err = harness(*arguments(demo, *extra))
    assert (code, message in err) == (2, True)
