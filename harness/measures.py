"""What one number of a metric is: its unit, which way is better, how exact it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import SpecError
from harness.plugins import plugins


@dataclass(frozen=True)
class Measure:
    """One number that a family of metrics gives."""

    unit: Literal["fraction", "px"] = "fraction"
    """Of measured values; tables may print a fraction in percent."""
    better: Literal["higher", "lower"] = "higher"
    decimals: int = 3
    """As tables print it."""
    noise: float = 1e-4
    """How far it may move where nothing but rounding changes and no wider noise floor was measured.

    What was measured is how far a few variants moved a metric on one machine; another processor can round one more
    keypoint to the other side. One person who passes one of the ten OKS thresholds or fails it is worth about
    1 / (10 people) of an AP: 1e-4 are six of COCO's 6,352, and a tenth of the last digit that tables print. A small
    data set needs more."""
    undefined: str = "nobody is annotated whom it could count"
    """What it means that it has no value."""


def measure_of(name: str) -> Measure:
    """Return what the number of a name is, in whatever family; those of one name are alike.

    Raises:
        SpecError: No family gives it.
    """
    for family in plugins("metrics").values():
        found: Measure | None = family.measure(name)
        if found is not None:
            return found
    raise SpecError(f"metric {name} is not evaluated here; known are {', '.join(measure_names())}")


def is_measured(name: str) -> bool:
    """Return whether an installed family gives a number of this name."""
    return any(family.measure(name) is not None for family in plugins("metrics").values())


def measure_names() -> list[str]:
    """Return the names of all numbers that the installed families give; of those with a threshold, the usual ones."""
    names: Iterable[str] = (name for family in plugins("metrics").values() for name in family.measures)
    return sorted(set(names))
