"""Fixtures that several stages share."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from miniature import Miniature, write_miniature

from harness.cli import main

if TYPE_CHECKING:
    from harness.run.plan import Settings


SAMPLES = Path(
    os.environ.get("HARNESS_SAMPLES") or Path(__file__).parents[2] / "shared" / "data" / "samples"
).absolute()
"""An MMPose-style data folder with a few real images of each data set; it may not exist."""


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    """Render a miniature of MMPose's `data/` folder, and return its contents; tests must not change it."""
    return write_miniature(tmp_path_factory.mktemp("miniature"))


@pytest.fixture(scope="session")
def samples(miniature: Miniature) -> Path:
    """Return the miniature's folder."""
    return miniature.folder


@pytest.fixture(scope="session", params=["miniature", *(["real"] if SAMPLES.is_dir() else [])])
def each_samples(request: pytest.FixtureRequest) -> Path:
    """Return the miniature's folder and, in a second test, the folder of real images if it exists."""
    return SAMPLES if request.param == "real" else request.getfixturevalue("samples")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with all data of the demo suite, obtained as a run obtains it."""
    from harness.assets.fetch import data_items, obtain
    from harness.suites.sources import load_sources

    data = tmp_path_factory.mktemp("demo") / "data"
    for item in data_items([entry.path for entry in load_sources("demo").files], data):
        obtain(item, data, lambda _name, _done, _total: None)
    return data


@pytest.fixture
def scoring_samples() -> Path:
    """Return a folder of predictions with known scores, next to the real images; skip without one."""
    folder = SAMPLES.parent / "scoring"
    if not folder.is_dir():
        pytest.skip("no predictions with known scores: `scoring` is not next to the folder HARNESS_SAMPLES")
    return folder


@pytest.fixture(scope="session")
def zoo_samples() -> Path:
    """Return a data folder with MMPose's samples of the further data sets, next to the real images; skip without."""
    folder = SAMPLES.parent / "zoo-samples"
    if not folder.is_dir():
        pytest.skip("no samples of the further data sets: `zoo-samples` is not next to the folder HARNESS_SAMPLES")
    return folder


@pytest.fixture(scope="session")
def all_samples(zoo_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with the real images of all data sets; skip without."""
    folder = tmp_path_factory.mktemp("all-samples")
    for source in (zoo_samples, SAMPLES):
        for entry in source.iterdir():
            if entry.is_dir() and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Limit downloads to this machine, and use an empty cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    send = requests.adapters.HTTPAdapter.send

    def send_here(adapter: Any, request: Any, **options: Any) -> Any:
        if not options.get("proxies") and "//127.0.0.1:" not in request.url:
            raise requests.ConnectionError(f"tests do not reach {request.url}: NameResolutionError")
        return send(adapter, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_here)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Use the default signal handling of a terminal in this process and in its children.

    Processes inherit ignored signals: SIGHUP under `nohup`, SIGINT in the background of a shell script and under some
    CI runners. A handler, or the default, in this process gives its children the default.
    """
    handlers: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):  # not on Windows
        handlers[signal.SIGHUP] = signal.SIG_DFL
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def settings(samples: Path, tmp_path: Path) -> "Settings":
    """Return settings for seeded weights on all images of the miniature."""
    from harness.run.plan import Settings

    return Settings(data=samples, checkpoints=tmp_path, out=tmp_path, seed=0, device="cpu")


Harness = Callable[..., tuple[int, str, str]]


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Harness:
    """Return a function that runs the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call
