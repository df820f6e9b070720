"""Progress bars on standard error: for downloads, for all rows, and for the current row's people."""

import sys
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from harness.assets.download import Downloaded

MB = 1_000_000


class _Speed(ProgressColumn):
    """Speed in people per second."""

    def render(self, task: Task) -> Text:
        """Return the speed, or an empty text if it is not known yet."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} people/s" if speed and task.fields.get("people") else "")


class _Bars:
    """Bars on standard error; nothing is drawn if standard error is not a terminal."""

    def __init__(self, *columns: ProgressColumn) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not Console(stderr=True).is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def echo(self, line: str, *, err: bool) -> None:
        """Print a line; if the bars are on the same terminal, print it above them."""
        if not self._progress.disable and (err or sys.stdout.isatty()):
            self._progress.console.print(Text.from_ansi(line), soft_wrap=True)
        else:
            click.echo(line, err=err)


class DownloadProgress(_Bars):
    """A bar for the current download or archive."""

    def __init__(self) -> None:
        super().__init__(DownloadColumn(), TransferSpeedColumn())
        self._task = self._progress.add_task("", total=None, visible=False)
        self._name = ""

    def update(self, name: str, done: int, total: int | None) -> None:
        """Show how many bytes of a file are done, of `total` if known."""
        if name != self._name:
            self._name = name
            self._progress.reset(self._task, description=name, visible=True)
        self._progress.update(self._task, completed=done, total=total)


def download_with_bar(url: str, target: Path, what: str, sha256: str | None = None) -> "Downloaded":
    """Return a file, which is downloaded with a progress bar if it does not exist.

    Args:
        url: Its address.
        target: Its path.
        what: Its name in error messages.
        sha256: Its expected sha256 in hex, or the first digits, if known.

    Raises:
        ObtainError: It cannot be downloaded, or has other content.
    """
    from harness.assets.download import download  # loads requests, which runs without downloads do not need

    with DownloadProgress() as progress:
        shown = partial(progress.update, target.name)
        return download([url], target, size=None, sha256=sha256, what=what, progress=shown)


class TerminalProgress(_Bars):
    """A `RunProgress` that draws one bar for the whole work and one for the current stage.

    Args:
        rows: Number of rows to do.
    """

    def __init__(self, rows: int) -> None:
        super().__init__(MofNCompleteColumn(), _Speed())
        self._of, self._rows_done = rows, 0
        self._all: TaskID = self._progress.add_task(f"0 of {rows} rows", total=None)
        self._run: TaskID = self._progress.add_task("", total=None, visible=False)
        self._file = ""
        self._warned: set[str] = set()

    def expect(self, people: int) -> None:
        """Set the number of people to do, over all rows."""
        self._progress.reset(self._all, total=people or None)

    def row_done(self) -> None:
        """Count one more row as done."""
        self._rows_done += 1
        self._progress.update(self._all, description=f"{self._rows_done} of {self._of} rows")

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Begin a stage of the work on one or several rows; `people` is the number to count, None if not counted."""
        self._file = ""
        self._progress.reset(
            self._run, description=f"{of} {name}", total=people, visible=True, people=people is not None
        )

    def advance(self, people: int) -> None:
        """Count this many more people as done."""
        self._progress.advance(self._run, people)
        self._progress.advance(self._all, people)

    def warn(self, of: str, text: str) -> None:
        """Print a warning once, even if it concerns several rows."""
        if text not in self._warned:
            self._warned.add(text)
            self.echo(f"warning: {text}", err=True)

    def download(self, name: str, done: int, total: int | None) -> None:
        """Show how many bytes of a file are done, of `total` if known."""
        if name != self._file:
            self.stage(name, "MB")
            self._file = name
        self._progress.update(self._run, completed=done // MB, total=None if total is None else total // MB)
