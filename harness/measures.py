"""Properties of a metric's value: its unit, whether higher is better, its precision."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import SpecError
from harness.plugins import plugins


@dataclass(frozen=True)
class Measure:
    """One value of a metric family."""

    unit: Literal["fraction", "px"] = "fraction"
    """Unit of measured values; tables may print a fraction in percent."""
    better: Literal["higher", "lower"] = "higher"
    decimals: int = 3
    """Number of decimals in tables."""
    noise: float = 1e-4
    """Largest change that is attributed to rounding if no wider noise floor was measured.

    A measured noise floor comes from a few variants of a run on one machine; another processor can round one more
    keypoint differently. A person who passes or fails one more of the ten OKS thresholds changes AP by about
    1 / (10 people): 1e-4 corresponds to six of COCO's 6,352 people, and to a tenth of the last digit in tables. A small
    data set needs more."""
    undefined: str = "there is no annotated person that it counts"
    """The reason why it has no value."""


def measure_of(name: str) -> Measure:
    """Return the measure of a name, from any family; measures of the same name are equal.

    Raises:
        SpecError: No family has it.
    """
    for family in plugins("metrics").values():
        found: Measure | None = family.measure(name)
        if found is not None:
            return found
    raise SpecError(f"metric {name} is not supported; supported are {', '.join(measure_names())}")


def is_measured(name: str) -> bool:
    """Return whether an installed family has a measure of this name."""
    return any(family.measure(name) is not None for family in plugins("metrics").values())


def measure_names() -> list[str]:
    """Return the names of all measures of the installed families; for measures with thresholds, the usual ones."""
    names: Iterable[str] = (name for family in plugins("metrics").values() for name in family.measures)
    return sorted(set(names))
