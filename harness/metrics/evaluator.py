"""Settings of a config's evaluator, read with errors that name the field."""

import math
from collections.abc import Collection
from typing import Any

from harness.errors import SpecError, brief
from harness.suites.yaml_file import did_you_mean


def one_of(evaluator: Any, field: str, default: Any, known: Collection[Any]) -> Any:
    """Return a setting that must have one of the known values.

    Raises:
        SpecError: It has another value.
    """
    found = evaluator.get(field, default)
    if isinstance(found, bool) != isinstance(default, bool) or found not in list(known):
        texts = list(map(str, known))
        close = did_you_mean(found, texts) if isinstance(found, str) else ""
        raise SpecError(
            f"config field test_evaluator.{field}: {brief(found)} is not supported{close}; there are {', '.join(texts)}"
        )
    return found


def number(evaluator: Any, field: str, default: float) -> float:
    """Return a setting that must be a number.

    Raises:
        SpecError: It is not a number.
    """
    found = evaluator.get(field, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise SpecError(f"config field test_evaluator.{field}: found {brief(found)}; it must be a number")
    return found
