"""Forecasts the work of a run: files to download, people to evaluate, and the approximate time on this device."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from mmengine.config import Config

from harness.assets.fetch import Item
from harness.datasets.people import People
from harness.errors import HarnessError, ObtainError
from harness.predict.crops import crop_regions, read_image, warp
from harness.predict.sources.interface import ModelKind, model_kind
from harness.protocol import Protocol
from harness.run.job import Job
from harness.run.obtain import needed_items
from harness.run.plan import Plan, Settings, make_plan, run_config
from harness.run.shards import share_done
from harness.run.sizes import network_sizes
from harness.run_folder import RunFolder
from harness.suites.ledger import data_paths
from harness.suites.schema import Row, Run, Suite

LONG = 2000
"""Smallest number of people for which the time is forecast; for fewer, the forecast itself would take longer."""
_FEWEST, _MOST = 2, 32
"""Number of people in the short measurement; GPUs and small networks reach their full speed only with many."""
_GFLOP = 20.0
"""Work of the measurement on a CPU in GFLOP, within the bounds above."""


@dataclass(frozen=True)
class Forecast:
    """The expected work."""

    missing: list[Item]
    """Files to download."""
    people: int
    """People to evaluate over all rows, if the data exists or its size is published."""
    left: int
    """Those of `people` whose predictions are not in the output folder yet."""
    seconds: float | None
    """Approximate time for `left` in seconds, without downloads; None if it is short."""


def forecast(work: Sequence[tuple[Suite, Row]], settings: Settings) -> Forecast:
    """Return a forecast; changes no file.

    Networks are built without weights to count their operations. The speed of crops and of the network with the most
    work is measured on a few people, so the time is right to a factor of about two. Rows that cannot be run are not
    counted.
    """
    missing: dict[str, Item] = {}
    everybody = 0
    left: list[tuple[ModelKind, Config, int]] = []
    measured: tuple[Plan, People] | None = None
    seen: dict[str, People] = {}
    for suite, row in work:
        for run, spec in row.runs.items():
            try:
                config = run_config(suite, row, spec, settings)
                absent = _missing(config, spec, settings)
            except HarnessError:  # the run itself reports it in its record
                continue
            try:
                plan = make_plan(suite, row, run, replace(settings, seed=0))
                people = seen[plan.people_key] if plan.people_key in seen else plan.people()
            except HarnessError:  # the data does not exist yet
                published = suite.dataset_of(row).counts_of(suite.annotations(row, spec))
                count = (published.boxes if row.boxes == "detector" else published.people) or 0
                share = 0.0
            else:
                seen[plan.people_key] = people
                if all(path.is_file() for path in people.images.values()):
                    absent = [item for item in absent if not item.folder]
                measured = measured or (plan, people)
                count = len(people)
                share = _share_done(Job(suite, row, run, settings).folder, plan.protocol, settings.seed)
            everybody += count
            left.append((model_kind(spec), config, round(count * (1 - share))))
            missing |= {item.name: item for item in absent}
    left_in_all = sum(count for *_, count in left)
    seconds = _seconds(measured, left, settings) if left_in_all >= LONG else None
    return Forecast(list(missing.values()), everybody, left_in_all, seconds)


def _share_done(folder: RunFolder, protocol: Protocol, seed: int | None) -> float:
    """Return the share of a run's people that are predicted; does not check whether the checkpoint changed."""
    record = folder.saved_record()
    if record and record.metrics and record.weights and record.weights.seed == seed:
        with contextlib.suppress(ObtainError):
            if Protocol.load(folder.protocol) == protocol:
                return 1.0
    return share_done(folder.shards)


def _missing(config: Config, run: Run, settings: Settings) -> list[Item]:
    if not settings.fetch:
        return []
    return [item for item in needed_items(data_paths(config), run, settings) if item.state == "missing"]


def _seconds(
    measured: tuple[Plan, People] | None, counts: list[tuple[ModelKind, Config, int]], settings: Settings
) -> float:
    """Return the approximate seconds for all counts, measured with some people of one run, if their images exist."""
    sizes = network_sizes([(kind, config) for kind, config, _ in counts])
    work = [
        count * size.gflop * (2 if config.model.test_cfg.get("flip_test") else 1)
        for size, (_, config, count) in zip(sizes, counts, strict=True)
    ]
    most = work.index(max(work))
    device = torch.device(settings.device)
    on_cpu = device.type == "cpu"
    sample = min(max(round(_GFLOP / sizes[most].gflop), _FEWEST), _MOST) if on_cpu else _MOST
    crop = _time(partial(_crop, *measured, sample)) / sample if measured else 0
    kind, config, _ = counts[most]
    operation = _time(kind.trial(config, device, settings.precision, sample)) / (sample * sizes[most].gflop)
    return operation * sum(work) + crop * sum(count for *_, count in counts)


def _crop(plan: Plan, people: People, sample: int) -> None:
    some = people.first_people(sample)
    regions = crop_regions(some, plan.protocol.crop)
    for image_id, matrix in zip(some.image_ids.tolist(), regions.matrices, strict=True):
        if some.images[image_id].is_file():
            warp(read_image(some.images[image_id]), matrix, plan.protocol.crop.input_size)


def _time(work: Callable[[], object]) -> float:
    """Return the seconds of a second execution of `work`, after a first one as warm-up."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
