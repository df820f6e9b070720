"""What can be wrong with a data folder, as values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.arrays import Bool

Severity = Literal["fatal", "error", "warning", "note"]

FEW = 0.2
"""Up to this share of entries some oddities are harmless."""
_SHOWN_IDS = 3


@dataclass(frozen=True)
class Problem:
    """One kind of fault in one file, with everything that has it."""

    severity: Severity
    """Fatal is what leaves a number without meaning: nothing is predicted or scored. An error makes a run fail or gives
    another number; a warning says what is likely, or that the number is not what it seems to be. A note is odd and
    harmless."""
    file: str
    """Relative to the data folder, which itself is ""."""
    text: str
    """What is wrong."""
    advice: str
    """What to do."""
    field: str | None = None
    """The field of the file, if it is one field."""
    what: str | None = None
    """What the ids are of: image, annotation, box, person or sequence; None where the whole file is at fault."""
    ids: tuple[int | str, ...] = ()
    """All that have the fault; what has no id of its own is told by its index in the file."""

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, in one line."""
        return f"{self}; {self.advice}"

    def __str__(self) -> str:
        parts = [self.file] if self.file else []
        if self.what:
            shown = ", ".join(map(str, self.ids[:_SHOWN_IDS]))
            more = f" and {len(self.ids) - _SHOWN_IDS} more" if len(self.ids) > _SHOWN_IDS else ""
            plural = {"box": "boxes", "person": "people"}.get(self.what, f"{self.what}s")
            parts.append(f"{self.what if len(self.ids) == 1 else plural} {shown}{more}")
        if self.field:
            parts.append(self.field)
        return ": ".join([*parts, self.text])


@dataclass
class Problems:
    """Collects what is wrong with one file."""

    file: str
    """Relative to the data folder."""
    found: list[Problem] = field(default_factory=list)

    def add(
        self,
        severity: Severity,
        text: str,
        advice: str,
        *,
        field: str | None = None,
        what: str | None = None,
        ids: Iterable[int | str] = (),
    ) -> None:
        """Note a fault; one of entries, of which `what` is the word, only if there are any."""
        ids = tuple(ids)
        if ids or what is None:
            self.found.append(Problem(severity, self.file, text, advice, field, what, ids))


def if_many(bad: Bool, of: Bool) -> Severity:
    """Return how severe it is that some entries, [N], are odd, of which only many do harm."""
    return "warning" if bad.sum() > FEW * of.sum() else "note"


def chosen(ids: Iterable[Any], mask: Bool) -> list[Any]:
    """Return the ids where the mask, [N], is set."""
    return [entry for entry, bad in zip(ids, mask.tolist(), strict=True) if bad]
