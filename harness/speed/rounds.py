"""Measures both sides of a comparison: in alternation, on the same work, with a comparison of the results."""

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
        unit: Unit of the work.
        work: Number of units in a round.
        upstream: Does the work with upstream's code.
        ours: Does the work with our code.
        rounds: Number of rounds.
        check: Compares the results of a round, and raises an error if they differ.
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
    """Do the same as `compare`, with sides that return their own seconds together with their results."""
    upstream_s, ours_s = [], []
    for number in range(rounds):
        (seconds, theirs), (our_seconds, mine) = in_turn(number, upstream, ours)
        check(theirs, mine)
        upstream_s.append(seconds)
        ours_s.append(our_seconds)
    return SideBySide.of(unit, work, upstream_s, ours_s)


def in_turn(number: int, upstream: Callable[[], Theirs], ours: Callable[[], Ours]) -> tuple[Theirs, Ours]:
    """Call both, upstream first in even rounds and last in odd rounds, and return their results."""
    if number % 2 == 0:
        theirs = upstream()
        return theirs, ours()
    mine = ours()
    return upstream(), mine


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds of a call and its result; earlier garbage is collected before the measurement."""
    gc.collect()
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def circumstances() -> Circumstances:
    """Return the circumstances at this moment, before a part is measured."""
    environment = describe_environment("cpu")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Circumstances(commit=environment["commit"], dirty=environment["dirty"], load=load)
