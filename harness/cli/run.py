"""`harness run`: evaluate rows, compare them with what was published, and record it all."""

import json
from collections import Counter
from typing import Any

import click

from harness.cli.options import check_data_folder, json_option, out_option, rows_option, settings_options
from harness.cli.verdicts import RowOutcome, exit_code, row_line, row_width, summary


@click.command("run")
@click.argument("suites", nargs=-1, required=True, metavar="SUITE...")
@rows_option
@settings_options
@click.option(
    "--engine",
    type=click.Choice(["shared", "upstream"]),
    default="shared",
    show_default=True,
    help="Ours, or MMPose's own test loop.",
)
@click.option("--offline", is_flag=True, help="Download nothing; rows whose files are missing are unobtainable.")
@out_option
@json_option
def command(suites: tuple[str, ...], glob: str | None, offline: bool, as_json: bool, **chosen: Any) -> int:
    """Evaluate the rows of a suite and compare them with what was published.

    What is missing is downloaded first, as by `harness fetch`. Each run gets a folder under --out with its predictions,
    protocol, environment and record. What is there already and was made from the same content is not made again.
    """
    from harness.spec.load import select

    work = select(suites, glob)
    if offline:
        check_data_folder(chosen["data"])
    from harness.cli.progress import TerminalProgress
    from harness.execute.device import choose_device
    from harness.execute.plan import Settings
    from harness.execute.run import refuse_to_replace, run_row
    from harness.judge.verdict import judge_row

    settings = Settings(**chosen | {"device": choose_device(chosen["device"]), "fetch": not offline})
    for suite, rows in work:
        for row in rows:
            refuse_to_replace(suite, row, settings)
    outcomes: list[RowOutcome] = []
    width = row_width((suite, row) for suite, rows in work for row in rows)
    with TerminalProgress(sum(len(rows) for _, rows in work)) as progress:
        for suite, rows in work:
            for row in rows:
                progress.row(suite.row_id(row))
                records = run_row(suite, row, settings, progress)
                outcome = RowOutcome(suite, row, records, *judge_row(row, suite.metrics, records))
                outcomes.append(outcome)
                progress.echo(row_line(outcome, width), err=as_json)
    for line in summary(outcomes, settings.out):
        click.echo(line, err=as_json)
    if as_json:
        document = {
            "schema_version": 1,
            "rows": [outcome.as_json() for outcome in outcomes],
            "counts": Counter(outcome.verdict for outcome in outcomes),
        }
        click.echo(json.dumps(document, indent=2))
    return exit_code(outcomes)
