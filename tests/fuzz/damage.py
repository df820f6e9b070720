"""Random damage to the bytes of a file, and to the values of a document or an array."""

import copy
import json
import math
from contextlib import suppress
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

Array = npt.NDArray[Any]

MOST_CHANGES = 3
NUMBERS = (
    0,
    1,
    -1,
    0.5,
    -0.5,
    2,
    17,
    255,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    1e-320,
    1e39,
    -1e39,
    1e300,
    -1e308,
    math.nan,
    math.inf,
    -math.inf,
)
DEEP = "\N{DOWNWARDS ARROW}deep"
"""Placeholder for lists that are nested more deeply than any parser's stack allows."""
TEXTS = (
    "",
    " ",
    "5",
    "1.5",
    "NaN",
    "null",
    "a\0b",
    "a\nb",
    "../../outside",
    "/outside",
    "..",
    "*",
    "[",
    "{}",
    "%s%n",
    "-0",
    "\u202e\u05e9\u05dc\u05d5\u05dd",
    "\u0645\u0631\u062d\u0628\u0627",
    "\ud800",
    "\U0001f9cd",
    "x" * 300,
    "9" * 5000,
    DEEP,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": []},
    [1, [2]],
    ["a"],
    {"a": 1},
    [0] * 51,
    [[0, 0]] * 16,
    [1e300] * 4,
    *NUMBERS,
    *TEXTS,
)
YAML = (
    "2001-99-99",
    "2001-01-01",
    "!!int x",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!binary x",
    "!!python/name:os.system",
    "!!set {a}",
    "&a [*a]",
    "&a {<<: *a}",
    "*b",
    "0x_",
    "0b",
    "0o9",
    "1:99:99",
    "._",
    "1__",
    "=",
    "<<",
    "@",
    "|",
    "? x",
    "&b {a: 1}",
    "\t",
    "---",
    "...",
    "%YAML 9.9",
    "[&a [x, x, x, x, x, x, x, x], "
    + ", ".join(f"&{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 8)}]" for n in range(12))
    + "]",
)
"""Scalars and structures that only YAML has; the last one has 8**13 values when all aliases are expanded."""
SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**48, 2**63 - 1, 2**64 - 1)
DTYPES = ("?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", ">f8", "c16", "U3", "S5", "M8[s]", "V7", "f8,i4")


def changes(choose: Random) -> range:
    """Return the number of changes."""
    return range(choose.randint(1, MOST_CHANGES))


def damaged_bytes(choose: Random, data: bytes, other: bytes) -> bytes:
    """Flip, overwrite, delete, repeat, truncate, insert, or splice in a part of another file."""
    changed = bytearray(data)
    for _ in changes(choose):
        start, length = choose.randint(0, len(changed)), choose.choice((1, 2, 4, 8, 100, len(changed)))
        end = min(start + choose.randint(0, length), len(changed))
        match choose.randrange(8):
            case 0 if start < len(changed):
                changed[start] ^= 1 << choose.randrange(8)
            case 1:
                changed[start:end] = bytes(choose.randrange(256) for _ in range(min(end - start, 8)))
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = changed[start:end] * choose.choice((1, 2, 50))
            case 4:
                del changed[start:]
            case 5:
                changed[start:start] = bytes(choose.choice((0, 0xFF, choose.randrange(256))) for _ in range(4))
            case 6:
                width, order = choose.choice((1, 2, 4, 8)), choose.choice(("little", "big"))
                size = choose.choice(SIZES) % 256**width
                changed[start : start + width] = size.to_bytes(width, "big" if order == "big" else "little")
            case _:
                begin = choose.randint(0, len(other))
                changed[start:end] = other[begin : begin + choose.choice((4, 16, len(other)))]
    return bytes(changed)


def damaged_document(choose: Random, document: Any) -> Any:
    """Change values of nested lists and mappings: other types, unusual numbers and texts, missing and extra fields."""
    holder = {"": copy.deepcopy(document)}
    for _ in changes(choose):
        container, key = _anywhere(choose, holder)
        match choose.randrange(8):
            case 0 | 1 | 2:
                container[key] = copy.deepcopy(choose.choice(VALUES))
            case 3 if container is not holder:
                del container[key]
            case 4 if isinstance(container, list):
                container[key:key] = [copy.deepcopy(container[key])] * choose.choice((1, 2, 20))
            case 4 if isinstance(container[key], dict):
                container[key][choose.choice(TEXTS)] = copy.deepcopy(choose.choice(VALUES))
            case 5:
                there, where = _anywhere(choose, holder)
                container[key], there[where] = there[where], container[key]
                if _is_circular(holder):
                    container[key], there[where] = there[where], container[key]
            case 6:
                container[key] = [container[key]] if choose.random() < 0.5 else str(container[key])
            case _ if isinstance(container[key], int | float):
                with suppress(OverflowError):
                    container[key] = choose.choice((-1, 10, 1e9, 1e-9, 0.1)) * container[key]
            case _ if isinstance(container[key], list | str):
                container[key] = container[key][: choose.randint(0, len(container[key]))]
    return holder[""]


def _anywhere(choose: Random, holder: Any) -> tuple[Any, Any]:
    """Return a container somewhere in a nested value, and a key of it; all levels are equally likely."""
    container, key = holder, next(iter(holder))
    while isinstance(container[key], dict | list) and container[key] and choose.random() < 0.8:
        container = container[key]
        key = choose.choice(list(container)) if isinstance(container, dict) else choose.randrange(len(container))
    return container, key


def _is_circular(value: Any) -> bool:
    try:
        json.dumps(value)
    except (ValueError, RecursionError):
        return True
    return False


def json_bytes(document: Any) -> bytes:
    """Write JSON as other programs do: with NaN and Infinity, and any Unicode."""
    return json.dumps(document).encode().replace(json.dumps(DEEP).encode(), b"[" * 200_000)


def yaml_bytes(choose: Random, document: Any) -> bytes:
    """Write YAML; sometimes one of its scalars is replaced by a value that JSON does not have."""
    text = yaml.safe_dump(document, allow_unicode=False, sort_keys=False, width=choose.choice((80, 10_000)))
    text = text.replace(yaml.safe_dump(DEEP).strip(), "[" * 200_000)
    lines = text.split("\n")
    for _ in range(choose.choice((0, 0, 1, 2))):
        number = choose.randrange(len(lines))
        key, colon, _ = lines[number].partition(": ")
        lines[number] = f"{key}{colon or ' '}{choose.choice(YAML)}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def damaged_array(choose: Random, array: Array) -> Array:
    """Change the shape, the type or some values of an array."""
    for _ in changes(choose):
        match choose.randrange(7):
            case 0:
                shape = [choose.choice((0, 1, size, size + 1, 2 * size)) for size in array.shape]
                array = np.resize(array, [*shape, 1][: choose.randint(0, len(shape) + 1)])
            case 1:
                array = array.transpose(choose.sample(range(array.ndim), array.ndim))
            case 2:
                with np.errstate(all="ignore"):
                    array = _as(array, choose.choice(DTYPES))
            case 3:
                array = array[..., None] if choose.random() < 0.5 else array.reshape(-1)
            case 4 if array.size:
                array = array[: choose.randint(0, len(array))] if array.ndim else array
            case _ if array.size and array.dtype.kind == "f":
                array = array.copy()
                with np.errstate(all="ignore"):
                    array.reshape(-1)[choose.randrange(array.size)] = float(min(choose.choice(NUMBERS), 1e308))
    return array


def _as(array: Array, dtype: str) -> Array:
    """Return an array of another type; NumPy crashes in some conversions of values that are not numbers."""
    try:
        return array.astype(dtype) if array.dtype.kind in "biuf" else array
    except (TypeError, ValueError, OverflowError):
        return np.zeros(array.shape, dtype)
