"""What a run is going to do: files to fetch, people to evaluate, and about how long that takes on this device."""

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
"""People from which on a forecast of the time is worth the time that it takes itself."""
_FEWEST, _MOST = 2, 32
"""People that the short measurement takes: a GPU, and a small network, need many at once to be as fast as they are."""
_GFLOP = 20.0
"""What a CPU is given to compute, as far as these allow."""


@dataclass(frozen=True)
class Forecast:
    """What is going to be done."""

    missing: list[Item]
    """What has to be fetched."""
    people: int
    """To be evaluated over all rows, as far as the data is there or its size published."""
    left: int
    """Of them, those whose predictions are not in the output folder yet."""
    seconds: float | None
    """About how long these take, downloads aside; None where it is short."""


def forecast(work: Sequence[tuple[Suite, Row]], settings: Settings) -> Forecast:
    """Look ahead, without changing anything.

    Networks are built without weights to count their operations; the speed is that of the network that has the most to
    do and of crops, on a few people, so that it is right to a factor of two or so. A row that cannot be run counts
    nothing.
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
            except HarnessError:  # the run itself will say so, in its record
                continue
            try:
                plan = make_plan(suite, row, run, replace(settings, seed=0))
                people = seen[plan.people_key] if plan.people_key in seen else plan.people()
            except HarnessError:  # not there yet
                published = suite.dataset_of(row).counts
                count = (published and (published.boxes if row.boxes == "detector" else published.people)) or 0
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
    """Return the share of a run's people that are predicted; another checkpoint than before is not noticed."""
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
    """Return about how long people take, by a measurement with some people of one run, if they are there."""
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
    """Return the seconds that something takes when it is done for the second time."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
