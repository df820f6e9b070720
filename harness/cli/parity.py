"""`harness parity`: compare the shared engine with MMPose's own test loop."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from harness.cli.help import Verb
from harness.cli.options import (
    check_data_folder,
    json_option,
    read_earlier,
    report_options,
    rows_option,
    settings_options,
    suites_argument,
    write_report,
)
from harness.errors import HarnessError, brief


@click.command("parity", cls=Verb)
@suites_argument
@rows_option
@settings_options
@click.option(
    "--tflop",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Limit the work of each network per engine to N TFLOP: heavy networks get only the first people.",
)
@report_options
@json_option
def command(
    suites: tuple[str, ...],
    glob: str | None,
    tflop: float | None,
    out: Path | None,
    markdown: Path | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Run both engines on the same people with the same weights, and show the differences of their numbers.

    SUITE is a name, a group or a YAML file; by default, all published tables are compared. The files are written after
    every run. If --out exists and was made with the same weights and packages, its other runs are kept.
    Exit code 1 if a keypoint away from ties differs by more than 0.01 px, a score by 1e-5 or a metric by 1e-6; 3 if a
    run could not be compared.
    """
    from harness.suites.load import published_suites, select

    work = [
        (suite, row, run)
        for suite, rows in select(suites or published_suites(), glob)
        for row in rows
        if not row.cannot_run
        for run in row.runs
    ]
    check_data_folder(chosen["data"])

    from harness.judge.parity import Failure, Parity, ParityReport
    from harness.predict.upstream_conditions import OPENCV_5, upstream_warp
    from harness.report.parity import parity_heads, parity_line, parity_markdown
    from harness.run.device import choose_device
    from harness.run.environment import describe_environment
    from harness.run.parity import compare_engines
    from harness.run.plan import Settings

    ids = [f"{suite.row_id(row)}/{run}" for suite, row, run in work]
    width = max(map(len, ids), default=0)
    click.echo(parity_heads(width), err=as_json)
    device = choose_device(chosen["device"])
    environment = describe_environment(device)
    if upstream_warp() == "opencv-5":
        click.echo(f"warning: {OPENCV_5}", err=True)
    report = ParityReport(
        weights="checkpoints" if chosen["seed"] is None else f"random:{chosen['seed']}",
        tflop=tflop,
        environment=environment,
        seconds=0,
        runs=(),
        failed=(),
    )
    if out and (earlier := read_earlier(ParityReport, out)) and report.continues(earlier):
        report = report.continuing(earlier)
    done: set[str] = set()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(**chosen | {"out": Path(scratch), "engine": "shared", "device": device})
        for name, (suite, row, run) in zip(ids, work, strict=True):
            began = time.perf_counter()
            outcome: Parity | Failure
            try:
                outcome = compare_engines(suite, row, run, settings, Path(scratch) / "log.txt", tflop)
                click.echo(parity_line(outcome, width), err=as_json)
            except Exception as error:  # noqa: BLE001 (an error in one run is recorded, and the others continue)
                reason = (
                    str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {brief(str(error))}"
                )
                outcome = Failure(id=name, reason=reason)
                click.echo(f"{name.ljust(width)}  FAILED: {reason}", err=as_json)
            report = report.added(outcome, time.perf_counter() - began)
            done.add(name)
            if {run.id for run in report.runs} | {failure.id for failure in report.failed} <= done:  # all runs are new
                seconds = round(time.perf_counter() - start, 1)
                report = report.model_copy(update={"environment": environment, "seconds": seconds})
            write_report(report, out, markdown, parity_markdown)
    equal = [run for run in report.runs if run.id in ids and run.equal]
    click.echo(f"\n{len(equal)} of {len(work)} runs are equal", err=as_json)
    if as_json:
        click.echo(json.dumps(report.model_dump(), indent=2))
    if any(failure.id in ids for failure in report.failed):
        return HarnessError.exit_code
    return 0 if len(equal) == len(work) else 1
