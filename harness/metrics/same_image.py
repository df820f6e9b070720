"""Pairs of poses and people in the same image."""

import numpy as np

from harness.arrays import Indices, Int64


def same_image(first: Int64 | Indices, second: Int64 | Indices) -> tuple[Indices, Indices]:
    """Return the indices of all pairs with the same image, sorted by the first and then by the second.

    Args:
        first: [N] the images of the first, as ids or as indices.
        second: [M] those of the second, in the same form.
    """
    order = np.argsort(second, kind="stable")
    start = np.searchsorted(second[order], first)
    counts = np.searchsorted(second[order], first, side="right") - start
    firsts = np.repeat(np.arange(len(first)), counts)
    seconds = order[np.arange(len(firsts)) + np.repeat(start - (np.cumsum(counts) - counts), counts)]
    return firsts, seconds
