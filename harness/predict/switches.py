"""Switches for the ways in which a GPU is kept busy: the environment variable `HARNESS_CUDA`."""

import os

from harness.errors import UsageError

SWITCHES = ("nographs", "exactgraphs", "nostreams", "nopinned")
"""No CUDA graphs; CUDA graphs in exact precision too; copies on the computing stream; crops in ordinary memory."""


def switched(name: str) -> bool:
    """Return whether `HARNESS_CUDA`, names separated by commas, contains this one of `SWITCHES`.

    Raises:
        UsageError: It contains an unknown name.
    """
    assert name in SWITCHES
    names = {part.strip() for part in os.environ.get("HARNESS_CUDA", "").split(",")} - {""}
    if unknown := sorted(names - set(SWITCHES)):
        raise UsageError(f"HARNESS_CUDA: {unknown[0]!r} is not one of {', '.join(SWITCHES)}", "see docs/gpus.md")
    return name in names
