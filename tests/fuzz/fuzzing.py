"""Reads damaged files repeatedly: each is rejected with a clear error, or gives a valid result."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from harness import files
from harness.errors import HarnessError
from harness.fields import LARGEST
from harness.measures import measure_of
from harness.speed.own_peak import peak_memory

from .damage import Array, damaged_array, damaged_bytes, damaged_document, json_bytes, yaml_bytes
from .seeds import write_array

CASES = int(os.environ.get("HARNESS_FUZZ_CASES", "200"))
LASTING = "HARNESS_FUZZ_CASES" in os.environ
"""Set on request; the cases then differ each time. By default they are the same, so that no test fails by chance."""
SEED = int(os.environ.get("HARNESS_FUZZ_SEED") or SystemRandom().getrandbits(32))
TIMEOUT = pytest.mark.timeout(120 + CASES, method="thread")
"""The mark of all tests here; the thread also ends code that hangs outside of Python."""
SECONDS = 20
"""Time limit of one case; a case takes milliseconds."""
MEMORY = 2**30
"""Memory limit of one case in bytes; all files are small."""
LONGEST = 10_000
"""Maximum number of characters of a message."""

Damage = Callable[[Random, Path, bytes], None]


@dataclass(frozen=True)
class Target:
    """Files, and the functions that read them."""

    write: Callable[[Path], None]
    """Writes valid files into a folder."""
    read: tuple[Callable[[Path], None], ...]
    """Each function reads them from the folder, and checks the result."""
    files: tuple[str, ...]
    """The files to damage, one at a time."""
    damage: Damage
    """Gets the whole content of a file, and writes other content of its format."""


def fuzz(target: Target, folder: Path) -> None:
    """Damage a target's files at random."""
    target.write(folder)
    for read in target.read:
        read(folder)  # on complete files; excludes compilation and imports from the limits
    whole = {name: (folder / name).read_bytes() for name in target.files}

    def case(number: int) -> None:
        _case(target, folder, whole, Random(number))

    run = settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=not LASTING,
        phases=(Phase.generate,),  # a case is only a number, so there is nothing to shrink
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(given(number=st.integers(0, 2**64 - 1))(case))
    (seed(SEED)(run) if LASTING else run)()


def _case(target: Target, folder: Path, whole: dict[str, bytes], choose: Random) -> None:
    name = choose.choice(target.files)
    path, others = folder / name, [data for other, data in whole.items() if other != name]
    path.unlink()  # creating a file is many times faster than replacing one
    try:
        if choose.random() < 0.5:
            path.write_bytes(damaged_bytes(choose, whole[name], choose.choice(others or [whole[name]])))
        else:
            target.damage(choose, path, whole[name])
        files._sha256.cache_clear()  # its key is the time of writing, which may be the same
        for read in target.read:
            with _bounded(), _watched(), _told(path):
                read(folder)
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(whole[name])


def damage_text(choose: Random, path: Path, whole: bytes) -> None:
    """Change the document of a JSON or YAML file."""
    text = whole.decode()
    if path.suffix == ".json":
        path.write_bytes(json_bytes(damaged_document(choose, json.loads(text))))
    else:
        path.write_bytes(yaml_bytes(choose, damaged_document(choose, yaml.safe_load(text))))


def damage_array(choose: Random, path: Path, array: Array, name: str = "preds") -> None:
    """Write a changed array to the file of an array."""
    try:
        write_array(path, damaged_array(choose, array), name)
    except (TypeError, ValueError, OverflowError):  # some formats do not support all types
        write_array(path, array[:-1], name)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Accept an error that names the file, or its folder if all files in it form one unit, in a few lines."""
    try:
        yield
    except HarnessError as error:
        message = str(error)
    else:
        return
    named = re.escape(path.name) + "|" + re.escape(str(path.parent)) + r"(?![/\\])"
    assert re.search(named, message), f"does not name {path.name}: {message}"
    assert len(message) < LONGEST, f"a message of {len(message)} characters: {message[:1000]}"


@contextmanager
def _bounded() -> Iterator[None]:
    """Fail on long durations or much memory. The test's timeout ends code that hangs outside of Python."""
    before = peak_memory()
    with _alarmed():
        yield
    grown = peak_memory() - before
    assert grown < MEMORY, f"took {grown / 2**20:.0f} MB"


@contextmanager
def _alarmed() -> Iterator[None]:
    """Fail after SECONDS. Windows has no such alarm, so that only the test's timeout remains."""
    if sys.platform == "win32":
        yield
        return

    def stop(_signal: int, _frame: Any) -> None:
        pytest.fail(f"not done after {SECONDS} s")

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


_FORBIDDEN: list[str] = []
_watching = False
_OF_ONE_PATH = {
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
    "shutil.rmtree",
    "os.system",
    "os.exec",
    "subprocess.Popen",
    "socket.connect",
}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Record and block events that would change a file, start a program or reach the network."""
    if not _watching:
        return
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and arguments[0] != os.devnull
    if (writes or event in _OF_ONE_PATH) and "__pycache__" not in str(arguments[0]):
        _FORBIDDEN.append(f"{event} {arguments}")
        raise PermissionError(f"readers do not: {event} {arguments}")


sys.addaudithook(_audit)


@contextmanager
def _watched() -> Iterator[None]:
    """Fail if a reader writes a file."""
    global _watching
    _watching = True
    _FORBIDDEN.clear()
    try:
        yield
    finally:
        _watching = False
    assert not _FORBIDDEN, _FORBIDDEN


def check_metrics(metrics: Mapping[str, float | None]) -> None:
    """Check that metrics are fractions, finite errors, or undefined."""
    assert metrics
    for name, value in metrics.items():
        highest = 1.0 if measure_of(name).better == "higher" else LARGEST
        assert value is None or 0 <= value <= highest, metrics
