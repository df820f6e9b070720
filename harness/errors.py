"""The errors a user can meet. Each says what is wrong with which file or field, and what to do next."""


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
