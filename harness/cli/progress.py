"""Progress bars on standard error: all rows, and the people of the row at work with people/s and time left."""

import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Speed(ProgressColumn):
    """People a second."""

    def render(self, task: Task) -> Text:
        """Show the speed once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} people/s" if speed and task.fields.get("people") else "")


class TerminalProgress:
    """A `Watcher` that draws bars; on a standard error that is no terminal it stays silent.

    Args:
        rows: How many rows there are to do.
    """

    def __init__(self, rows: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not Console(stderr=True).is_terminal,
        )
        self._rows: TaskID = self._progress.add_task("rows", total=rows)
        self._run: TaskID = self._progress.add_task("", total=None, visible=False)
        self._name = ""
        self._started = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def echo(self, line: str, *, err: bool) -> None:
        """Print a line. Where it would land on the terminal that shows the bars, it is printed above them."""
        if not self._progress.disable and (err or sys.stdout.isatty()):
            self._progress.console.print(Text.from_ansi(line), soft_wrap=True)
        else:
            click.echo(line, err=err)

    def row(self, name: str) -> None:
        """Begin the next row."""
        self._name = name
        self._progress.update(self._rows, completed=self._started)
        self._started += 1

    def stage(self, name: str, people: int | None = None) -> None:
        """Begin a stage of the row's work; `people` is how many it has to do, where it counts them."""
        self._progress.reset(
            self._run, description=f"{self._name} {name}", total=people, visible=True, people=people is not None
        )

    def advance(self, people: int) -> None:
        """Count so many more people as done."""
        self._progress.advance(self._run, people)
