"""Interface for reporting the progress of the work on rows."""

from typing import Protocol as Interface


class RunProgress(Interface):
    """Receives the progress of the work."""

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Begin a stage of the work on one or several rows; `people` is the number to count, None if not counted."""

    def advance(self, people: int) -> None:
        """Count this many more people as done."""

    def warn(self, of: str, text: str) -> None:
        """Report a warning about a row's number, before the number is computed."""

    def download(self, name: str, done: int, total: int | None) -> None:
        """Report how many bytes of a file are done, of `total` if known."""


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
