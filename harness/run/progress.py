"""Who is told how the work on rows goes on."""

from typing import Protocol as Interface


class RunProgress(Interface):
    """Is told how the work goes on."""

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Begin a stage of the work on one row or several; `people` is how many there are, where it counts them."""

    def advance(self, people: int) -> None:
        """Count so many more people as done."""

    def warn(self, of: str, text: str) -> None:
        """Tell what a reader of a row's number should know, before it is computed."""

    def download(self, name: str, done: int, total: int | None) -> None:
        """Tell how many bytes of a file are done."""


class SilentProgress:
    """A `RunProgress` that shows nothing."""

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Ignore a stage."""

    def advance(self, people: int) -> None:
        """Ignore people."""

    def warn(self, of: str, text: str) -> None:
        """Ignore a warning."""

    def download(self, name: str, done: int, total: int | None) -> None:
        """Ignore a download."""
