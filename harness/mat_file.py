"""Reads numeric arrays from MATLAB files of version 5 to 7.

Our own reader, because scipy.io.loadmat trusts the sizes in a file, and a damaged file can end the process.
Source: MathWorks, MAT-File Format, "Level 5 MAT-File Format".
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ObtainError

Array = npt.NDArray[Any]

HEADER = 128
"""Bytes before the first element."""
MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's type for each type number of stored values."""
NUMERIC = range(6, 16)
"""Array classes of numbers; other classes are texts, cells, structures, objects and sparse arrays."""
COMPLEX = 0x800
LARGEST = 2**31
"""Maximum size of an array in bytes in this format."""


def read_mat(path: Path, what: str) -> dict[str, Array]:
    """Return the arrays of real numbers in a .mat file by name; `what` names the file in error messages.

    Raises:
        ObtainError: The file is missing, damaged or not a .mat file of these versions.
    """
    try:
        data = path.read_bytes()
        return dict(_arrays(data))
    except FileNotFoundError:
        raise ObtainError(f"{what} is missing: {path}") from None
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise ObtainError(f"{what} cannot be read: {path}: {error}", "save it by MATLAB's save -v7") from error


def _arrays(data: bytes) -> Iterator[tuple[str, Array]]:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:HEADER])
    if order is None:
        raise ValueError("not a .mat file of version 5 to 7")
    for kind, content in _elements(data[HEADER:], order):
        if kind == COMPRESSED:
            inflater = zlib.decompressobj()
            kind, content = next(_elements(inflater.decompress(content, LARGEST), order), (0, b""))
        if kind == MATRIX:
            yield from _array(content, order)


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield the type and content of each element; a small element has its content in the tag."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        start = position + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        if start + size > len(data):
            raise ValueError("it ends before its values do")
        yield kind, data[start : start + size]
        # Compressed elements are not padded.
        position = start + 4 if start == position + 4 else start + (size if kind == COMPRESSED else -(-size // 8) * 8)


def _array(content: bytes, order: str) -> Iterator[tuple[str, Array]]:
    """Yield the name and the values of an array of real numbers, in its stored type; nothing for other arrays."""
    elements = _elements(content, order)
    (_, flags), (_, dimensions), (_, name) = (next(elements, (0, b"")) for _ in range(3))
    (flag,) = struct.unpack_from(f"{order}I", flags)
    if flag & 0xFF not in NUMERIC or flag & COMPLEX:
        return
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    stored, values = next(elements, (0, b""))
    if stored not in STORED or min(shape, default=-1) < 0:
        raise ValueError(f"the array {name!r} is damaged")
    numbers = np.frombuffer(values, f"{order}{STORED[stored]}")
    if len(numbers) != math.prod(shape):
        raise ValueError(f"the array {name!r} has {len(numbers)} values for the shape {shape}")
    yield name.decode("latin-1"), numbers.reshape(shape, order="F")
