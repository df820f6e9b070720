"""How both sides of a comparison are measured: in turn, on the same work, with the results compared."""

import gc
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from harness.run.environment import describe_environment
from harness.speed.outcome import Circumstances, SideBySide

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")
Result = TypeVar("Result")


def compare(
    unit: str,
    work: int,
    upstream: Callable[[], Theirs],
    ours: Callable[[], Ours],
    rounds: int,
    check: Callable[[Theirs, Ours], object] = lambda _theirs, _mine: None,
) -> SideBySide:
    """Time both sides in each round.

    Args:
        unit: What the work is counted in.
        work: How much of it there is in a round.
        upstream: Does it upstream's way.
        ours: Does it ours.
        rounds: How often.
        check: Compares the results of a round, and raises where they differ.
    """
    return compare_timed(unit, work, partial(timed, upstream), partial(timed, ours), rounds, check)


def compare_timed(
    unit: str,
    work: int,
    upstream: Callable[[], tuple[float, Theirs]],
    ours: Callable[[], tuple[float, Ours]],
    rounds: int,
    check: Callable[[Theirs, Ours], object],
) -> SideBySide:
    """Do the same as `compare` where both sides say themselves how many seconds they took, beside their results."""
    upstream_s, ours_s = [], []
    for number in range(rounds):
        (seconds, theirs), (our_seconds, mine) = in_turn(number, upstream, ours)
        check(theirs, mine)
        upstream_s.append(seconds)
        ours_s.append(our_seconds)
    return SideBySide.of(unit, work, upstream_s, ours_s)


def in_turn(number: int, upstream: Callable[[], Theirs], ours: Callable[[], Ours]) -> tuple[Theirs, Ours]:
    """Do both, upstream first in rounds 0, 2 and so on and last in the others, and return what they give."""
    if number % 2 == 0:
        theirs = upstream()
        return theirs, ours()
    mine = ours()
    return upstream(), mine


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that something takes, and what it gives; garbage of before is not collected at its cost."""
    gc.collect()
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def circumstances() -> Circumstances:
    """Describe this moment, before a part is measured."""
    environment = describe_environment("cpu")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Circumstances(commit=environment["commit"], dirty=environment["dirty"], load=load)
