"""All measurements of a GPU in order of importance; each result is saved as soon as it is known."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError
from harness.protocol import Precision
from harness.speed.gpu.crops import measure_crops
from harness.speed.gpu.decoding import distinct_decoders, measure_decoders
from harness.speed.gpu.forward import Work, compiled_work, first_choices, measure_networks, other_work
from harness.speed.gpu.machine import describe_measured_machine
from harness.speed.gpu.networks import CHOSEN, measured_networks
from harness.speed.gpu.outcome import GpuReport, NetworkRates
from harness.speed.gpu.peaks import peaks_of
from harness.speed.gpu.scale import Deadline, Sizes, scale_for
from harness.speed.gpu.table import with_conclusions
from harness.speed.gpu.whole_runs import Places, measure_run, measure_upstream, write_data
from harness.speed.gpu_model import read_table
from harness.speed.rounds import circumstances
from harness.speed.whole_runs import ONE_ROW
from harness.speed.workload import plan_row

_FIRST = 0.5
"""Share of the time for the forward passes of all networks, which are measured first."""
_OTHER = 0.6
"""Share of the remaining time for further precisions and ways, before further whole runs."""
_STARTUP_S, _ROW_S = 20.0, 3.0
"""Assumed seconds of a whole run besides its forward passes, once and per row, to decide whether the time is enough."""
_SLACK = 1.3
"""Factor on the forward passes for the same decision."""
_UPSTREAM_S = 40.0
"""Assumed seconds of MMPose's script on a part of the boxes."""
_LEAST_S = 5.0
"""Smallest time limit of a process that starts just before the end, in seconds."""


class Measurement:
    """Measures one device.

    Args:
        device: A GPU; a CPU to rehearse.
        data: An MMPose data/ folder with COCO's layout.
        patterns: Rows of COCO whose networks are measured, separated by commas; None for all.
        minutes: Time after which no measurement is started.
        keep: Receives the report after each measurement.
    """

    def __init__(
        self, device: torch.device, data: Path, patterns: str | None, minutes: float, keep: Callable[[GpuReport], None]
    ) -> None:
        self._device = device
        self._data = data
        self._keep = keep
        self._scale: Sizes = scale_for(device)
        self._deadline = Deadline(minutes)
        self._table = read_table()
        self._networks = measured_networks(patterns)
        self._known: dict[tuple[str, ...], NetworkRates] = {}
        machine = describe_measured_machine(device)
        self.report = GpuReport(
            machine=machine,
            rehearsal=device.type != "cuda",
            measured=circumstances(),
            minutes=minutes,
            peaks=peaks_of(machine["gpu"]["name"]) if machine["gpu"] else None,
        )

    def run(self, told: Callable[[str], object]) -> GpuReport:
        """Measure everything for which the time is enough; errors are part of the report, and the next step follows.

        Args:
            told: Receives each step's name when it starts, and its error if it fails.
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            self._folder = Path(folder).absolute()
            for name, needed, step in self._steps():
                if self._deadline.left < needed:
                    self._add(left_out=(*self.report.left_out, name))
                    continue
                told(f"{name} ...")
                try:
                    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
                        step(Path(scratch).absolute())
                except Exception as error:  # noqa: BLE001 (time on a GPU is rare: the other steps continue)
                    reason = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
                    told(f"{name} FAILED: {reason}")
                    self._add(failed=self.report.failed | {name: reason[:1000]})
        return self.report

    def _steps(self) -> Iterator[tuple[str, float, Callable[[Path], None]]]:
        """Yield each step's name, the seconds that it needs, and the function that does it in an empty folder."""
        tiny = self.report.rehearsal

        def run(rows: tuple[str, ...], precision: Precision) -> tuple[str, float, Callable[[Path], None]]:
            what = rows[0] if len(rows) == 1 else f"{len(rows)} rows at once"
            least = 0.0 if tiny else self._run_s(rows, precision, self._scale.boxes[-1])
            return f"{what} in {precision}", least, lambda scratch: self._run(rows, precision, scratch)

        def upstream(row: str) -> tuple[str, float, Callable[[Path], None]]:
            needed = 0.0 if tiny else _UPSTREAM_S
            return f"{row} by MMPose's script", needed, lambda scratch: self._upstream(row, scratch)

        one, several = self._scale.one, self._scale.several
        yield "forward passes of all networks", 0, lambda _: self._first_forward()
        yield "crops", 0, lambda _: self._crops()
        yield "decoders", 0, lambda _: self._decoders()
        yield run((one,), "bf16")
        yield upstream(one)
        yield run(several, "bf16")
        yield "forward passes in other precisions and ways", 0, lambda _: self._other_forward()
        yield from (run((row,), "bf16") for row in (() if tiny else CHOSEN[1:]))
        yield run((one,), "fp32")
        yield from (upstream(row) for row in several if row != one)
        if not tiny:
            yield run((one,), "tf32")
            yield from (run((row,), "fp32") for row in CHOSEN[1:])
        yield "compiled networks", 0, lambda _: self._compiled_forward()

    def _add(self, **parts: Any) -> None:
        parts["seconds"] = round(self._deadline.spent, 1)
        self.report = with_conclusions(self.report.model_copy(update=parts), self._table)
        self._keep(self.report)

    def _forward(self, work: Sequence[Work], share: float) -> None:
        deadline = Deadline(share * self._deadline.left / 60)
        peaks = self.report.peaks

        def failed(row: str, reason: str) -> None:
            self._add(failed=self.report.failed | {f"forward passes of {row}": reason[:1000]})

        for _ in measure_networks(work, self._known, self._device, peaks, self._scale, deadline, failed):
            self._add(networks=tuple(self._known.values()))

    def _first_forward(self) -> None:
        choices = first_choices(self._device)
        self._forward([(network, choices) for network in self._networks], _FIRST)

    def _other_forward(self) -> None:
        self._forward(other_work(self._networks, self._device), _OTHER)

    def _compiled_forward(self) -> None:
        self._forward(compiled_work(self._networks), 1)

    def _data_of(self, boxes: int) -> Path:
        """Return a data folder with this many boxes; it is written once."""
        folder = self._folder / f"data-{boxes}"
        return folder if folder.exists() else write_data(self._data, self._scale.images, boxes, folder)

    def _crops(self) -> None:
        protocols = [protocol for network in self._networks for _, protocol in network.protocols(self._device)]
        people = plan_row(ONE_ROW, self._data_of(self._scale.part_of), self._scale.cropped_images).people()
        self._add(crops=measure_crops(people, protocols, self._device))

    def _decoders(self) -> None:
        decoders = distinct_decoders(self._networks, self._device, self._scale)
        for rate in measure_decoders(decoders, self._device, self._scale, self._deadline):
            self._add(decoders=(*self.report.decoders, rate))

    def _run(self, rows: tuple[str, ...], precision: Precision, scratch: Path) -> None:
        left = self._deadline.left
        sizes = self._scale.boxes
        boxes = next((size for size in sizes if self._run_s(rows, precision, size) < left), sizes[-1])
        places = Places(self._data_of(boxes), scratch, self._folder)
        run = measure_run(",".join(rows), places, precision, self._device, max(left, _LEAST_S))
        self._add(runs=(*self.report.runs, run))

    def _run_s(self, rows: tuple[str, ...], precision: Precision, boxes: int) -> float:
        """Return the seconds that a whole run may take; for a network that was not measured, those of the slowest."""
        rates = {
            row: rate for network in self._known.values() if (rate := network.as_run(precision)) for row in network.rows
        }
        slowest = min((rate.people_s for rate in rates.values()), default=100.0)
        forward = sum(boxes / (rates[row].people_s if row in rates else slowest) for row in rows)
        return _STARTUP_S + len(rows) * _ROW_S + _SLACK * forward

    def _upstream(self, row: str, scratch: Path) -> None:
        places = Places(self._data_of(self._scale.part_of), scratch, self._folder)
        run = measure_upstream(row, places, self._scale.upstream_images, max(self._deadline.left, _LEAST_S))
        self._add(upstream=(*self.report.upstream, run))
