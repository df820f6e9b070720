"""`harness run`: evaluate rows, compare them with what was published, and record it all."""

import json
from collections import Counter
from pathlib import Path
from typing import Literal

import click

from harness.cli.options import (
    batch_size_option,
    check_data_folder,
    checkpoints_option,
    data_option,
    device_option,
    json_option,
    limit_option,
    rows_option,
    weights_option,
)
from harness.cli.verdicts import RowOutcome, exit_code, row_line, row_width, summary


@click.command("run")
@click.argument("suites", nargs=-1, required=True, metavar="SUITE...")
@rows_option
@data_option
@checkpoints_option
@weights_option
@limit_option
@click.option("--engine", type=click.Choice(["shared", "upstream"]), default="shared", show_default=True,
              help="Ours, or MMPose's own test loop.")  # fmt: skip
@device_option
@batch_size_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, metavar="DIR",
              help="Where the run folders go.")  # fmt: skip
@json_option
def command(
    suites: tuple[str, ...],
    glob: str | None,
    data: Path,
    checkpoints: Path,
    seed: int | None,
    limit: int | None,
    engine: Literal["shared", "upstream"],
    device: str | None,
    batch_size: int | None,
    out: Path,
    as_json: bool,
) -> int:
    """Evaluate the rows of a suite and compare them with what was published.

    Each run gets a folder under --out with its predictions, protocol, environment and record. What is there already and
    was made from the same content is not made again.
    """
    from harness.spec.load import load_suite, select_rows

    work = [(suite, select_rows(suite, glob)) for suite in map(load_suite, suites)]
    check_data_folder(data)
    from harness.cli.progress import TerminalProgress
    from harness.execute.device import choose_device
    from harness.execute.plan import Settings
    from harness.execute.run import run_row
    from harness.judge.verdict import judge_row

    settings = Settings(data, checkpoints, out, seed, limit, engine, choose_device(device), batch_size)
    outcomes: list[RowOutcome] = []
    width = row_width((suite, row) for suite, rows in work for row in rows)
    with TerminalProgress(sum(len(rows) for _, rows in work)) as progress:
        for suite, rows in work:
            for row in rows:
                progress.row(suite.row_id(row))
                records = run_row(suite, row, settings, progress)
                outcome = RowOutcome(suite, row, records, *judge_row(row, suite.metrics, records))
                outcomes.append(outcome)
                click.echo(row_line(outcome, width), err=as_json)
    for line in summary(outcomes, out):
        click.echo(line, err=as_json)
    if as_json:
        document = {
            "schema_version": 1,
            "rows": [outcome.as_json() for outcome in outcomes],
            "counts": Counter(outcome.verdict for outcome in outcomes),
        }
        click.echo(json.dumps(document, indent=2))
    return exit_code(outcomes)
