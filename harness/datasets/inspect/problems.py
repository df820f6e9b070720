"""The problems of a data folder, as values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.arrays import Bool

Severity = Literal["fatal", "error", "warning", "note"]

OFFICIAL = "correct the file; of a published data set, take the official one"
"""Advice for an invalid value."""
FEW = 0.2
"""Some faults are harmless up to this share of the entries."""
_SHOWN_IDS = 3


@dataclass(frozen=True)
class Problem:
    """One kind of fault in one file, with all entries that have it."""

    severity: Severity
    """Fatal: the result would be meaningless, and nothing is predicted or scored. Error: a run fails or gives another
    number. Warning: the fault is likely, or the number has another meaning than expected. Note: unusual and harmless.
    """
    file: str
    """Relative to the data folder; "" for the folder itself."""
    text: str
    """The fault."""
    advice: str
    """The next step."""
    field: str | None = None
    """The field of the file, if the fault is in one field."""
    what: str | None = None
    """The kind of the ids: image, annotation, box, person or sequence; None if the fault is in the whole file."""
    ids: tuple[int | str, ...] = ()
    """The ids of all entries with the fault, or their indices in the file if they have no id."""

    @property
    def sentence(self) -> str:
        """The fault and the next step, in one line."""
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
    """Collects the problems of one file, and of files that are compared with it."""

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
        file: str | None = None,
    ) -> None:
        """Add a problem; one of entries, whose kind is `what`, is added only if `ids` is not empty.

        `file` names another file than that of the other problems.
        """
        ids = tuple(ids)
        if ids or what is None:
            self.found.append(Problem(severity, self.file if file is None else file, text, advice, field, what, ids))


def if_many(bad: Bool, of: Bool) -> Severity:
    """Return the severity of a fault of some entries, [N]: a warning if they are many of `of`, [N], else a note."""
    return "warning" if bad.sum() > FEW * of.sum() else "note"


def chosen(ids: Iterable[Any], mask: Bool) -> list[Any]:
    """Return the ids where the mask, [N], is set."""
    return [entry for entry, bad in zip(ids, mask.tolist(), strict=True) if bad]
