"""The errors a user can meet. Each says what is wrong with which file or field, and what to do next."""

import reprlib
from typing import Any

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What can be raised where a document is taken apart that has another form than it is to have."""

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = _brief.maxlong = 60


def brief(value: Any) -> str:
    """Return a value as a message can show it: in one line, and of a long or nested one the beginning."""
    return _brief.repr(value)


def first_problems(error: Exception) -> str:
    """Return what an error says; of a ValidationError, which tells all that is wrong, the first five problems."""
    errors = getattr(error, "errors", None)  # pydantic is not imported for every command
    if errors is None:
        return str(error)
    found = errors(include_url=False, include_input=False)
    lines = [f"{'.'.join(str(part)[:60] for part in one['loc'])}: {one['msg'][:200]}" for one in found[:5]]
    return "; ".join([*lines, *([f"and {len(found) - 5} more"] if len(found) > 5 else [])])


class HarnessError(Exception):
    """An error with a cause that a user can act on; anything else that escapes is a bug.

    Args:
        message: What is wrong, naming the file and the field.
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
    """A suite file that cannot be used as it is."""


class ObtainError(HarnessError):
    """Something that a run needs is missing or unusable: an image, annotations, boxes, a checkpoint."""


class RunError(HarnessError):
    """A run that had all it needs and failed."""


class DifferenceError(HarnessError):
    """What was to be equal to upstream's is not."""

    exit_code = 1
