"""One check: a function that a worker process calls, and how its result becomes an outcome."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.doctor.outcome import Figures, NotRun, Outcome


@dataclass
class Finding:
    """What a check measured and found wrong."""

    figures: Figures = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What is wrong; the check passes where this is empty."""
    note: str = ""
    """What a reader should know of a check that passed."""

    def add(self, name: str, value: float) -> None:
        """Note a figure, to four digits; one that is not finite, which JSON has no number for, as a text."""
        self.figures[name] = float(f"{value:.4g}") if math.isfinite(value) else str(value)

    def at_most(self, name: str, value: float, limit: float) -> None:
        """Note a figure, and a problem where it is larger than its limit or not a number."""
        self.add(name, value)
        if not value <= limit:
            self.problems.append(f"{name} is {value:.3g}, the limit is {limit:g}")

    def require(self, holds: bool, problem: str) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)


@dataclass(frozen=True)
class Check:
    """A check, as it is sent to a worker process."""

    group: str
    name: str
    work: Callable[..., Finding]
    """A function of a module, which can be pickled."""
    arguments: tuple[Any, ...] = ()

    def run(self) -> Outcome:
        """Call the function; whatever it raises becomes the outcome."""
        start = time.perf_counter()
        try:
            finding = self.work(*self.arguments)
        except NotRun as error:
            return self.outcome("not run", reason=str(error))
        except Exception as error:  # noqa: BLE001 (a check is isolated: the next one runs)
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
