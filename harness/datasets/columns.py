"""Fields of many JSON records as arrays, with NaN where a record lacks or garbles the field."""

import contextlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from harness.arrays import Float64
from harness.errors import MALFORMED, ObtainError

Record = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)


def records(document: Any, what: str) -> list[Record]:
    """Return a JSON value as the list of objects that it must be.

    Raises:
        ObtainError: It is something else; `what` says in the error what it was to be.
    """
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise ObtainError(f"{what} is no list of objects")
    return document


def numbers(entries: Sequence[Record], field: str, *shape: int) -> Float64:
    """Return a numeric field of N records, [N, *shape]; a value that is not wholly finite is NaN throughout."""
    values = [entry.get(field) for entry in entries]
    try:
        array = np.array(values, np.float64).reshape(len(values), *shape)
    except MALFORMED:
        array = np.full((len(values), *shape), np.nan)
        for n, value in enumerate(values):
            with contextlib.suppress(*MALFORMED):
                array[n] = np.array(value, np.float64).reshape(shape)
    array[~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))] = np.nan
    return array


def integer(entry: Record, field: str) -> int | None:
    """Return a field that holds an id; None where it holds something else."""
    value = entry.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def repeated(keys: Iterable[Key]) -> list[Key]:
    """Return what occurs more than once, each once, in the order of its first occurrence."""
    return [key for key, count in Counter(keys).items() if count > 1]
