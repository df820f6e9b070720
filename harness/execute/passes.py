"""Passes: runs on the same people are predicted together, as many at a time as the device's memory takes."""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

import torch

from harness.execute.device import free_memory
from harness.execute.effect import measure_effect, sample
from harness.execute.operations import count_operations
from harness.execute.plan import Plan
from harness.predict.forward import Forward, is_out_of_memory
from harness.predict.people import People
from harness.predict.shared import Estimator, predict_together
from harness.predictions import Predictions
from harness.record import Estimation, Network

Outcome = tuple[Predictions, Estimation] | Exception
"""Predictions and how they came about, or what the run failed with."""

WEIGHTS_SHARE = 0.5
"""Of the free memory; the rest is for what a network computes between its layers."""


class Watcher(Interface):
    """Is told how the work goes on."""

    def stage(self, of: str, name: str, people: int | None = None) -> None:
        """Begin a stage of the work on one row or several; `people` is how many there are, where it counts them."""

    def advance(self, people: int) -> None:
        """Count so many more people as done."""

    def download(self, name: str, done: int, total: int | None) -> None:
        """Tell how many bytes of a file are done."""


@dataclass
class _Member:
    """One run of a pass."""

    number: int
    plan: Plan
    forward: Forward
    seconds: float
    """What building its network took."""
    network: Network
    exact: Predictions | None = None
    """Of the sample, where the pass itself is not exact."""


def predict_in_passes(
    plans: Sequence[tuple[str, Plan]], people: People, watcher: Watcher
) -> Iterator[tuple[int, Outcome]]:
    """Predict runs that have the same people.

    Args:
        plans: What the watcher calls each run, and its plan.
        people: The people of all of them, with their images there.
        watcher: Told of each pass.

    Yields:
        Each run's place in `plans` and its outcome; those of one pass come together.

    Raises:
        RunError: An image cannot be read.
    """
    waiting = list(range(len(plans)))
    built: dict[int, tuple[torch.nn.Module, float]] = {}
    while waiting:
        members: list[_Member] = []
        room = WEIGHTS_SHARE * free_memory(plans[0][1].protocol.compute.device)
        while waiting:
            number = waiting[0]
            name, plan = plans[number]
            try:
                if number not in built:
                    watcher.stage(name, "network")
                    start = time.perf_counter()
                    built[number] = plan.network(), time.perf_counter() - start
                network, seconds = built[number]
                size = _bytes(network)
                if members and size > room:
                    break
                member = _Member(number, plan, Forward(network, plan.protocol), seconds, _describe(network, plan))
            except Exception as error:  # noqa: BLE001 (a network that cannot be built leaves the others running)
                if members and is_out_of_memory(error):
                    break
                built.pop(waiting.pop(0), None)
                yield number, error
                continue
            del built[waiting.pop(0)]
            room -= size
            members.append(member)
        if members:
            name = plans[members[0].number][0] if len(members) == 1 else f"{len(members)} runs"
            yield from _predict(members, people, watcher, name)
        members.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _predict(members: list[_Member], people: People, watcher: Watcher, name: str) -> Iterator[tuple[int, Outcome]]:
    """Run one pass."""
    start = time.perf_counter()
    few = sample(people)
    inexact = [member for member in members if not member.plan.protocol.compute.exact]
    watcher.stage(name, "predict", len(members) * len(people) + len(inexact) * len(few))
    failed: dict[int, Exception] = {}
    for member, outcome in zip(inexact, _together(inexact, few, watcher), strict=True):
        try:
            if isinstance(outcome, Exception):
                raise outcome
            member.exact = outcome
            member.forward.quicken()
        except Exception as error:  # noqa: BLE001 (it leaves the others running)
            failed[member.number] = error
    running = [member for member in members if member.number not in failed]
    outcomes = _together(running, people, watcher)
    seconds = time.perf_counter() - start
    yield from failed.items()
    for member, outcome in zip(running, outcomes, strict=True):
        if isinstance(outcome, Exception):
            yield member.number, outcome
            continue
        timings = {"network": member.seconds, "predict": seconds, "forward": member.forward.seconds}
        estimation = Estimation(
            timings={name: round(value, 3) for name, value in timings.items()},
            together=len(members),
            warnings=member.forward.warnings,
            effect=measure_effect(member.plan, member.exact, outcome) if member.exact else None,
            network=member.network,
        )
        yield member.number, (outcome, estimation)


def _together(members: list[_Member], people: People, watcher: Watcher) -> list[Predictions | Exception]:
    estimators = [Estimator(member.forward, member.plan.protocol, watcher.advance) for member in members]
    return predict_together(estimators, people) if estimators else []


def _describe(network: torch.nn.Module, plan: Plan) -> Network:
    (flop,) = count_operations([plan.config])
    return Network(parameters=sum(tensor.numel() for tensor in network.parameters()), gflop=round(flop / 1e9, 3))


def _bytes(network: torch.nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))
