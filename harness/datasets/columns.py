"""Fields of many JSON records as columns. Values of another type are kept unchanged, so that messages can show them."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.errors import MALFORMED, ObtainError

Record = Mapping[str, Any]
NUMERIC = {bool, int, float}
SPARSE = 100
"""Largest ratio of an array's elements to those in the file, so that one long list does not fill the memory."""
WHOLE_NUMBERS = "ids are whole numbers, the same in images, annotations and box files: write 1, not '1' or 1.0"
"""Advice for ids that are not whole numbers."""
BACKSLASHES = "file_name has the separators of Windows: write / in place of each \\"


class FormError(ObtainError):
    """A file does not have the expected structure.

    Args:
        path: The file.
        what: The fault.
        hint: The next step.
    """

    def __init__(self, path: Path, what: str, hint: str | None = None) -> None:
        super().__init__(f"{path}: {what}", hint)
        self.what = what


@dataclass(frozen=True)
class Integers:
    """A field of N records that holds an integer, such as an id."""

    values: Int64
    """[N] 0 where the record holds another value."""
    odd: Mapping[int, Any]
    """The other values by the record's index; None for a missing field."""

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> Bool:
        """[N] whether the record holds an integer."""
        return _without(self.odd, len(self))


@dataclass(frozen=True)
class Numbers:
    """A field of N records that holds a number, or a list of L numbers."""

    values: Float64
    """[N] or [N, L]; NaN where the record holds another value."""
    given: Bool
    """[N] whether the record has the field."""
    odd: Mapping[int, Any]
    """The values that are not a number, or not L numbers, by the record's index."""

    def __post_init__(self) -> None:
        self.values.flags.writeable = self.given.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> Bool:
        """[N] whether the record holds a number, or L numbers; infinite and NaN included."""
        return self.given & _without(self.odd, len(self))

    def shaped(self, *shape: int) -> Float64:
        """Return the numbers as [N, *shape]; all NaN for a record with another count or with a number not finite."""
        count = int(np.prod(shape, dtype=np.intp))
        array = np.full((len(self), count), np.nan)
        flat = self.values if self.values.ndim == 2 else self.values[:, None]
        if flat.shape[1] == count:
            array[:] = flat
        else:
            for index, value in self.odd.items():
                if _is_numeric_list(value) and len(value) == count:
                    with contextlib.suppress(OverflowError):
                        array[index] = _converted([value], count)
        array[~np.isfinite(array).all(axis=1)] = np.nan
        return array.reshape(len(self), *shape)


def records(value: Any) -> bool:
    """Return whether a JSON value is a list of objects."""
    return isinstance(value, list) and set(map(type, value)) <= {dict}


def integers(entries: Sequence[Record], field: str) -> Integers:
    """Return the column of a field that holds an integer."""
    contents = [entry.get(field) for entry in entries]
    if set(map(type, contents)) <= {int}:
        try:
            return Integers(np.array(contents, np.int64), {})
        except OverflowError:
            pass
    odd = {n: value for n, value in enumerate(contents) if type(value) is not int or not -(2**63) <= value < 2**63}
    return Integers(np.array([0 if n in odd else value for n, value in enumerate(contents)], np.int64), odd)


def numbers(entries: Sequence[Record], field: str) -> Numbers:
    """Return the column of a field that holds a number."""
    given = np.array([field in entry for entry in entries], bool)
    contents = [entry[field] for entry in entries if field in entry]
    values = np.full(len(entries), np.nan)
    if set(map(type, contents)) <= NUMERIC:
        try:
            values[given] = np.array(contents, np.float64)
            return Numbers(values, given, {})
        except OverflowError:
            pass
    odd = {}
    for index, value in zip(np.flatnonzero(given).tolist(), contents, strict=True):
        try:
            if type(value) not in NUMERIC:
                raise TypeError
            values[index] = value
        except MALFORMED:
            odd[index] = value
    return Numbers(values, given, odd)


def number_lists(entries: Sequence[Record], field: str, length: int | None = None, *, longer: bool = False) -> Numbers:
    """Return the column of a field that holds a list of numbers.

    Args:
        entries: The records.
        field: The field.
        length: L; None for the most frequent length, or 0 if almost no record has the field.
        longer: Accept longer lists, and take their first L numbers.
    """
    given = np.array([field in entry for entry in entries], bool)
    contents = [entry[field] for entry in entries if field in entry]
    lengths = Counter(map(len, filter(_is_list, contents)))
    if longer and max(lengths, default=0) > (length or 0):
        contents = [value[:length] if _is_list(value) else value for value in contents]
        lengths = Counter(map(len, filter(_is_list, contents)))
    if length is None:
        length = lengths.most_common(1)[0][0] if lengths else 0
        if length * len(entries) > SPARSE * (len(entries) + length * len(contents)):
            length = 0
    values = np.full((len(entries), length), np.nan)
    if lengths[length] == len(contents) and set(map(type, chain.from_iterable(contents))) <= NUMERIC:
        try:
            values[given] = _converted(contents, length)
            return Numbers(values, given, {})
        except OverflowError:
            pass
    odd = {}
    for index, value in zip(np.flatnonzero(given).tolist(), contents, strict=True):
        try:
            if not _is_numeric_list(value) or len(value) != length:
                raise ValueError
            values[index] = _converted([value], length)
        except MALFORMED:
            odd[index] = value
    return Numbers(values, given, odd)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_numeric_list(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= NUMERIC


def _converted(lists: Sequence[Sequence[float]], length: int) -> Float64:
    """Return N lists as [N, length]; raises OverflowError where an integer is too large."""
    flat = np.fromiter(chain.from_iterable(lists), np.float64, length * len(lists))
    return flat.reshape(len(lists), length)


def _without(odd: Iterable[int], count: int) -> Bool:
    mask = np.ones(count, bool)
    mask[list(odd)] = False
    return mask
