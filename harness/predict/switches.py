"""What a user switches off, or on, of the ways in which a GPU is kept busy: the variable `HARNESS_CUDA`."""

import os

from harness.errors import UsageError

SWITCHES = ("nographs", "exactgraphs", "nostreams", "nopinned")
"""No CUDA graphs; CUDA graphs in exact precision, too; copies on the stream that computes; crops in ordinary memory."""


def switched(name: str) -> bool:
    """Whether `HARNESS_CUDA`, names separated by commas, has one of `SWITCHES`.

    Raises:
        UsageError: It has a name that is none of them.
    """
    assert name in SWITCHES
    names = {part.strip() for part in os.environ.get("HARNESS_CUDA", "").split(",")} - {""}
    if unknown := sorted(names - set(SWITCHES)):
        raise UsageError(f"HARNESS_CUDA: {unknown[0]!r} is none of {', '.join(SWITCHES)}", "see docs/gpus.md")
    return name in names
