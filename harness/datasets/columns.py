"""Fields of many JSON records as columns. A field that holds something else is kept as it is, to be told of."""

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
"""An array has at most so many times the elements of its field: one long list in a large file must not fill memory."""
WHOLE_NUMBERS = "ids are whole numbers, the same in images, annotations and box files: write 1, not '1' or 1.0"
"""What to do about an id that is something else."""
BACKSLASHES = "file_name has the separators of Windows: write / in place of each \\"


class FormError(ObtainError):
    """A file is not of its form.

    Args:
        path: The file.
        what: What is wrong with it.
        hint: The next step.
    """

    def __init__(self, path: Path, what: str, hint: str | None = None) -> None:
        super().__init__(f"{path}: {what}", hint)
        self.what = what


@dataclass(frozen=True)
class Integers:
    """A field of N records that holds an integer, such as an id."""

    values: Int64
    """[N] 0 where the record holds something else."""
    odd: Mapping[int, Any]
    """What the other records hold, by their index; None for nothing."""

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
    """[N] or [N, L]; NaN where the record holds something else."""
    given: Bool
    """[N] whether the record has the field."""
    odd: Mapping[int, Any]
    """What the field holds in place of a number, or of L numbers, by the index of the record."""

    def __post_init__(self) -> None:
        self.values.flags.writeable = self.given.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> Bool:
        """[N] whether the record holds a number, or L numbers; one may be infinite or NaN."""
        return self.given & _without(self.odd, len(self))

    def shaped(self, *shape: int) -> Float64:
        """Return the numbers as [N, *shape]; NaN throughout where they are of another count or not all finite."""
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
    """Tell whether a JSON value is a list of objects."""
    return isinstance(value, list) and set(map(type, value)) <= {dict}


def integers(entries: Sequence[Record], field: str) -> Integers:
    """Read a field that holds an integer."""
    contents = [entry.get(field) for entry in entries]
    if set(map(type, contents)) <= {int}:
        try:
            return Integers(np.array(contents, np.int64), {})
        except OverflowError:
            pass
    odd = {n: value for n, value in enumerate(contents) if type(value) is not int or not -(2**63) <= value < 2**63}
    return Integers(np.array([0 if n in odd else value for n, value in enumerate(contents)], np.int64), odd)


def numbers(entries: Sequence[Record], field: str) -> Numbers:
    """Read a field that holds a number."""
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
    """Read a field that holds a list of numbers.

    Args:
        entries: The records.
        field: The field.
        length: L; None for the length that most records have, or 0 where hardly any has the field.
        longer: Of a longer list, take the first L.
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
