"""Errors for the user. Each message names the file or field, the problem, and the next step."""

import contextlib
import math
import reprlib
from collections.abc import Collection
from typing import Any

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""Errors that code may raise when it reads a document with an unexpected structure."""

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = _brief.maxlong = 60


def brief(value: Any) -> str:
    """Return a value as text for a message: in one line, and shortened if it is long or nested."""
    return _brief.repr(value)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, in the plural unless the number is 1; by default the plural adds an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def first_problems(error: Exception) -> str:
    """Return an error's message; for a ValidationError, which may contain many problems, the first five."""
    errors = getattr(error, "errors", None)  # duck-typed, because not every command imports pydantic
    if errors is None:
        return str(error)
    found = errors(include_url=False, include_input=False)
    lines = [f"{'.'.join(str(part)[:60] for part in one['loc'])}: {one['msg'][:200]}" for one in found[:5]]
    return "; ".join([*lines, *([f"and {len(found) - 5} more"] if len(found) > 5 else [])])


class HarnessError(Exception):
    """An error that the user can resolve; any other exception that leaves the program is a bug.

    Args:
        message: The problem, with the file and the field.
        hint: The next command or step, if there is one.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  {self.hint}" if self.hint else message


class UsageError(HarnessError):
    """Wrong usage: an unknown suite, row or option value."""

    exit_code = 2


class SpecError(UsageError):
    """A suite file that is invalid."""


class ObtainError(HarnessError):
    """Something that a run needs is missing or unusable: an image, annotations, boxes, a checkpoint."""


class OtherFileError(ObtainError):
    """A file that has other content than the expected one; a repetition does not help until it is replaced."""


class RunError(HarnessError):
    """A run that failed although its inputs were complete."""


class DifferenceError(HarnessError):
    """A result that must equal upstream's, and does not."""

    exit_code = 1


def check_whole(name: str, value: object, least: int, *, optional: bool = False) -> None:
    """Check an argument that is a whole number, or None if it is optional.

    Raises:
        UsageError: It is something else, or less than `least`.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {brief(value)}")


def check_number(name: str, value: object, least: float | None = None, *, optional: bool = False) -> None:
    """Check an argument that is a finite number, or None if it is optional.

    Raises:
        UsageError: It is something else, or less than `least`.
    """
    if value is None and optional:
        return
    right = False
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a whole number above all floats
            right = math.isfinite(value) and (least is None or value >= least)
    if not right:
        bound = "" if least is None else f" of at least {least:g}"
        raise UsageError(f"{name} must be a finite number{bound}, not {brief(value)}")


def check_choice(name: str, value: object, choices: Collection[str], *, optional: bool = False) -> None:
    """Check an argument that is one of some words, or None if it is optional.

    Raises:
        UsageError: It is something else.
    """
    if value is None and optional:
        return
    if value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}, not {brief(value)}")


def check_text(name: str, value: object, meaning: str, *, optional: bool = False) -> None:
    """Check an argument that is text, or None if it is optional; `meaning` says what the text states.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(value, str) and not (value is None and optional):
        raise UsageError(f"{name} must be text: {meaning}, not {brief(value)}")
