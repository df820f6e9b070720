"""Inverses of many small matrices."""

from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from harness.arrays import Floating


def inverses(matrices: Floating) -> Floating:
    """Return the inverses of matrices [..., 2, 2], with the same numbers as numpy's.

    It uses one thread: OpenBLAS wakes all threads for each matrix, which takes 20 times as long as the matrix, and more
    than 1,000 times if processors have other work.

    Raises:
        LinAlgError: A matrix has no inverse.
    """
    with _threads().limit(limits=1, user_api="blas"):
        found: Floating = np.linalg.inv(matrices)
    return found


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
