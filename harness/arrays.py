"""Names for the arrays that pass between modules."""

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
