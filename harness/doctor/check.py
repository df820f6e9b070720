"""One check: a function that a worker process calls, and the conversion of its result to an outcome."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.doctor.outcome import Figures, NotRun, Outcome


@dataclass
class Finding:
    """The measurements and problems of a check."""

    figures: Figures = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Problems found; the check passes if this is empty."""
    note: str = ""
    """A remark for the reader of a check that passed."""

    def add(self, name: str, value: float) -> None:
        """Add a figure, rounded to four digits; a value that is not finite is added as text, for JSON."""
        self.figures[name] = float(f"{value:.4g}") if math.isfinite(value) else str(value)

    def at_most(self, name: str, value: float, limit: float) -> None:
        """Add a figure, and a problem if it is above its limit or not a number."""
        self.add(name, value)
        if not value <= limit:
            self.problems.append(f"{name} is {value:.3g}, the limit is {limit:g}")

    def require(self, holds: bool, problem: str) -> None:
        """Add a problem if `holds` is false."""
        if not holds:
            self.problems.append(problem)


@dataclass(frozen=True)
class Check:
    """A check in the form in which it is sent to a worker process."""

    group: str
    name: str
    work: Callable[..., Finding]
    """A function at the top level of a module, so that it can be pickled."""
    arguments: tuple[Any, ...] = ()

    def run(self) -> Outcome:
        """Call the function; an exception becomes a failed outcome."""
        start = time.perf_counter()
        try:
            finding = self.work(*self.arguments)
        except NotRun as error:
            return self.outcome("not run", reason=str(error))
        except Exception as error:  # noqa: BLE001 (a failed check must not stop the next one)
            lines = str(error).splitlines() or [""]
            return self.outcome(
                "failed",
                reason=f"{type(error).__name__}: {lines[0]}",
                seconds=time.perf_counter() - start,
                traceback=traceback.format_exc(),
            )
        return self.outcome(
            "failed" if finding.problems else "passed",
            reason="; ".join(finding.problems) or finding.note,
            figures=finding.figures,
            seconds=time.perf_counter() - start,
        )

    def outcome(self, status: Any, seconds: float | None = None, **fields: Any) -> Outcome:
        """Return an outcome of this check."""
        rounded = None if seconds is None else round(seconds, 2)
        return Outcome(group=self.group, name=self.name, status=status, seconds=rounded, **fields)
