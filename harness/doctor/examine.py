"""The checks of a device in order of importance, and the document with their outcomes."""

import fnmatch
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import psutil
import torch

from harness.doctor.check import Check
from harness.doctor.decoders import check_decoder, check_flip_test, published_protocols
from harness.doctor.exactness import check_exactness
from harness.doctor.networks import RunId, check_network, distinct_networks
from harness.doctor.outcome import Examination, Outcome
from harness.doctor.people import RENDERED, render_people
from harness.doctor.pool import Pool
from harness.doctor.precision import check_precision, check_single_precision
from harness.doctor.runs import check_demo_precision, check_interrupted, check_two_workers
from harness.doctor.trouble import check_not_a_number, check_out_of_memory
from harness.predict.crop_stream import processors
from harness.protocol import Precision
from harness.run.device import free_memory
from harness.suites.load import DEMO, load_suite

EXACT_FIRST = (
    "demo/litehrnet-18-128x96/val",
    "demo/litehrnet-18-dark-128x96/val",
    "demo/litehrnet-18-udp-128x96/val",
    "coco/litehrnet-18-256x192/val",
    "coco/resnet-50-256x192/val",
    "coco/cspnext-tiny-256x192/val",
    "coco/mspn-1stg-256x192/val",
    "coco/resnet-101-dark-256x192/val",
    "coco/vitpose-s-256x192/val",
    "coco/alexnet-256x192/val",
    "mpii/litehrnet-18-256x256/val",
    "crowdpose/resnet-50-256x192/val",
)
"""Trained networks of the demo; one run per codec, for both flip tests and for the usual kinds of layers."""
SEEDED: tuple[RunId, ...] = (("coco", "resnet-50-256x192", "val"), ("coco", "vitpose-s-256x192", "val"))
TRAINED = ("litehrnet-18-128x96", "litehrnet-18-dark-128x96")
"""Rows of the demo, which have trained networks, for checks of the precisions."""
EXACT_TRAINED = (*TRAINED, "litehrnet-18-udp-128x96")
"""Rows of the demo for the comparison of both test loops."""
WORKERS = 16
WORKER_BYTES = 6e9
"""Memory that a worker may need in bytes: the largest network twice, with its activations."""


def plan_checks(device: str, data: Path, rendered: Path) -> list[Check]:
    """Return all checks, the most important first.

    Args:
        device: The device.
        data: The user's data folder; it may not exist.
        rendered: A data folder of `render_people`.
    """
    protocols = published_protocols()
    networks = distinct_networks()
    families = len({network.family for network in networks})
    compared = [Check("network", network.name, check_network, (network.runs, device, rendered)) for network in networks]
    exact = [
        Check("exactness", "/".join(run), check_exactness, (run, device, folder))
        for run, folder in (
            *(((DEMO, row, "val"), rendered) for row in EXACT_TRAINED),
            *_exact_runs([run for network in networks for run in network.runs], data, rendered),
        )
    ]
    exact.sort(key=lambda check: EXACT_FIRST.index(check.name) if check.name in EXACT_FIRST else len(EXACT_FIRST))
    first = sum(check.name in EXACT_FIRST for check in exact)
    return [
        Check("arithmetic", "single precision", check_single_precision, (device,)),
        Check("arithmetic", "flip test", check_flip_test, (protocols, device)),
        *(
            Check("decoder", _called(protocol), check_decoder, (protocol.decoder, protocol.crop.input_size, device))
            for protocol in {_called(protocol): protocol for protocol in protocols}.values()
        ),
        *compared[:families],
        *exact[:first],
        Check("trouble", "out of memory", check_out_of_memory, (device, rendered)),
        Check("trouble", "not a number", check_not_a_number, (device, rendered)),
        Check("run", "interrupted and resumed", check_interrupted, (device, rendered)),
        Check("run", "two workers", check_two_workers, (device, rendered)),
        *_precisions(device, rendered),
        *compared[families:],
        *exact[first:],
    ]


def _called(protocol: Any) -> str:
    decoder = protocol.decoder
    kernel = f", kernel {decoder.blur_kernel_size}" if decoder.blur_kernel_size else ""
    sizes = ("x".join(map(str, size)) for size in (decoder.grid_size, protocol.crop.input_size) if size)
    return f"{decoder.codec} {' of '.join(sizes)}{kernel}"


def _precisions(device: str, rendered: Path) -> Iterator[Check]:
    for precision in get_args(Precision)[1:]:
        for row in TRAINED:
            arguments = (precision, row, device, rendered)
            yield Check("precision", f"{precision} demo/{row}", check_demo_precision, arguments)
        for run in SEEDED:
            yield Check(
                "precision", f"{precision} {'/'.join(run[:2])}", check_precision, (precision, run, device, rendered)
            )


def _exact_runs(runs: Sequence[RunId], data: Path, rendered: Path) -> Iterator[tuple[RunId, Path]]:
    """Yield runs, each with a data folder that has its data set; of a suite without data, only the first run."""
    told = set()
    for run in runs:
        suite = load_suite(run[0])
        row = next(row for row in suite.rows if row.id == run[1])
        if (data / suite.annotations(row, row.runs[run[2]])).is_file():
            yield run, data
        elif run[0] in RENDERED:
            yield run, rendered
        elif run[0] not in told:
            told.add(run[0])
            yield run, data


def choose_workers(device: str) -> int:
    """Return the number of processes that may check at the same time, by processors and free memory."""
    memory = psutil.virtual_memory().available
    if torch.device(device).type == "cuda":
        memory = min(memory, free_memory(device))
    return max(1, min(processors(), WORKERS, int(memory // WORKER_BYTES)))


def examine(
    device: str,
    data: Path,
    minutes: float,
    only: str | None,
    machine: dict[str, Any],
    done: Callable[[Outcome, Examination], object],
    clock: Callable[[], float] = time.monotonic,
) -> Examination:
    """Do the checks of a device until all are done or the time is over.

    Args:
        device: The device.
        data: The user's data folder; it may not exist.
        minutes: Maximum duration.
        only: Shell patterns of `group/name`, separated by commas; None for all checks.
        machine: The result of `describe_machine`.
        done: Called after each check with its outcome and all outcomes so far.
        clock: Returns the time in seconds.
    """
    begun = clock()
    workers = choose_workers(device)
    examination = Examination(machine=machine, device=device, minutes=minutes, workers=workers)
    with (
        tempfile.TemporaryDirectory(prefix="harness-doctor-") as scratch,
        Pool(device, workers, max(1, torch.get_num_threads() // workers)) as pool,
    ):
        rendered = Path(scratch)
        checks = [check for check in plan_checks(device, data.absolute(), rendered) if _wanted(check, only)]
        render_people(rendered)
        outcomes = {(check.group, check.name): check.outcome("not run", reason="not begun") for check in checks}
        for outcome in pool.outcomes(checks, begun + 60 * minutes, clock):
            outcomes[outcome.group, outcome.name] = outcome
            examination = examination.model_copy(
                update={"checks": list(outcomes.values()), "seconds": round(clock() - begun, 1)}
            )
            done(outcome, examination)
    return examination


def _wanted(check: Check, only: str | None) -> bool:
    name = f"{check.group}/{check.name}"
    return only is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in only.split(","))
