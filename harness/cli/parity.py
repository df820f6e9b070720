"""`harness parity`: the shared engine against MMPose's own test loop."""

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import check_data_folder, json_option, rows_option, settings_options, suites_argument
from harness.errors import HarnessError
from harness.files import write_json, write_text

if TYPE_CHECKING:
    from harness.parity import Parity

HEADINGS = ("people", "compared", "ties", "keypoint px", "tie px", "score", "metric")


@click.command("parity")
@suites_argument
@rows_option
@settings_options
@click.option(
    "--tflop",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Let each network compute at most so much for an engine: heavy ones see the first people only.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the outcome as JSON to a file.")
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a page to a file.")
@json_option
def command(
    suites: tuple[str, ...], glob: str | None, tflop: float | None, out: Path | None, markdown: Path | None,
    as_json: bool, **chosen: Any,
) -> int:  # fmt: skip
    """Run both engines on the same people with the same weights, and show how far apart their numbers are.

    SUITE is a name or a YAML file; without one, all suites are compared. The files are written anew after every run.
    Exit code 1 if a keypoint away from ties is off by more than 0.01 px, a score by 1e-5 or a metric by 1e-6; 3 if a
    run could not be compared.
    """
    from harness.spec.load import select, suite_names

    work = [
        (suite, row, run) for suite, rows in select(suites or suite_names(), glob) for row in rows for run in row.runs
    ]
    check_data_folder(chosen["data"])

    from harness.execute.device import choose_device
    from harness.execute.environment import describe_environment
    from harness.execute.parity import compare_engines
    from harness.execute.plan import Settings
    from harness.parity import Failure, ParityReport
    from harness.report.parity import parity_markdown

    ids = [f"{suite.row_id(row)}/{run}" for suite, row, run in work]
    width = max(map(len, ids))
    click.echo("  ".join(["run".ljust(width), *(heading.rjust(11) for heading in HEADINGS)]), err=as_json)
    began = time.perf_counter()
    device = choose_device(chosen["device"])
    report = ParityReport(
        weights="checkpoints" if chosen["seed"] is None else f"random:{chosen['seed']}",
        tflop=tflop, environment=describe_environment(device), seconds=0, runs=(), failed=(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(**chosen | {"out": Path(scratch), "engine": "shared", "device": device})
        for name, (suite, row, run) in zip(ids, work, strict=True):
            added: dict[str, Any]
            try:
                parity = compare_engines(suite, row, run, settings, Path(scratch) / "log.txt", tflop)
                added = {"runs": (*report.runs, parity)}
                line = _line(parity, width)
            except HarnessError as error:
                added = {"failed": (*report.failed, Failure(id=name, reason=str(error)))}
                line = f"{name.ljust(width)}  FAILED: {error}"
            report = report.model_copy(update={**added, "seconds": round(time.perf_counter() - began, 1)})
            click.echo(line, err=as_json)
            if out:
                write_json(out, report.model_dump())
            if markdown:
                write_text(markdown, parity_markdown(report))
    click.echo(f"\n{len(report.runs) - len(report.unequal)} of {len(work)} runs are equal", err=as_json)
    if as_json:
        click.echo(json.dumps(report.model_dump(), indent=2))
    return 3 if report.failed else 1 if report.unequal else 0


def _line(parity: "Parity", width: int) -> str:
    counts = (parity.people, parity.keypoints_compared, parity.ties)
    differences = (parity.keypoint_max_px, parity.tie_max_px, parity.score_max, parity.metric_max)
    cells = [
        *(f"{count:>11}" for count in counts),
        *(f"{'-' if difference is None else f'{difference:.3g}':>11}" for difference in differences),
    ]
    return "  ".join([parity.id.ljust(width), *cells, "equal" if parity.equal else "DIFFERS"])
