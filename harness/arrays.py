"""Names for the arrays that pass between modules, and operations on arrays that several modules share."""

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.fields import LARGEST

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating[Any]]
"""Single or double precision."""
Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Image = npt.NDArray[np.uint8]
"""[height, width, 3], BGR."""


def usable(numbers: npt.NDArray[Any]) -> Bool:
    """Return which numbers from a file are finite, also in single precision and as factors of areas."""
    within: Bool = np.abs(numbers) < LARGEST
    return within


def what_is_unusable(numbers: npt.NDArray[Any]) -> str:
    """Return what is wrong with the numbers that are not `usable`, for a message: not finite, too large, or both."""
    found = numbers[~usable(numbers)]
    finite = np.isfinite(found)
    large = f"too large (the limit is {LARGEST:g})"
    return large if finite.all() else f"not finite or {large}" if finite.any() else "not finite"


def positions(ids: Int64, wanted: Int64) -> Indices:
    """Return the indices, [N], of N wanted ids among M ids: the last of a repeated id, -1 if absent."""
    if not len(ids):
        return np.full(len(wanted), -1)
    order = np.argsort(ids, kind="stable")
    found = order[np.searchsorted(ids[order], wanted, side="right") - 1]
    return np.where(ids[found] == wanted, found, -1)
