"""`harness bench --only gpu`: measure a GPU within minutes."""

import json
from pathlib import Path

import click

from harness.cli.options import write_report
from harness.errors import HarnessError
from harness.run.device import choose_device
from harness.speed.gpu.measure import Measurement
from harness.speed.gpu.outcome import GpuReport
from harness.speed.gpu.page import gpu_markdown, gpu_summary


def measure_gpu(
    device: str | None,
    data: Path,
    rows: str | None,
    minutes: float,
    out: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Measure a device, write the report after everything that was measured, and return the exit code."""
    import torch

    def keep(report: GpuReport) -> None:
        write_report(report, out, markdown, gpu_markdown)

    measurement = Measurement(torch.device(choose_device(device)), data, rows, minutes, keep)
    report = measurement.run(lambda line: click.echo(line, err=True))
    for line in gpu_summary(report):
        click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps(report.model_dump(mode="json"), indent=2))
    return HarnessError.exit_code if report.failed else 0
