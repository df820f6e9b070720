"""`harness explain`: which settings give the published number."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from harness.cli.help import Verb
from harness.cli.options import (
    check_data_folder,
    json_option,
    out_option,
    path_option,
    settings_options,
    trust_option,
)
from harness.errors import UsageError


@click.command("explain", cls=Verb)
@click.argument("row_id", metavar="ROW")
@click.option("--run", metavar="NAME", help="The run of the row, if the row has several runs, e.g. sub1 of JHMDB.")
@click.option(
    "--rerun", is_flag=True, help="Also try settings that need the network; this takes about as long as thirty runs."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Explain this value, in the table's unit, instead of the row's claims.",
)
@path_option(
    "--baseline",
    metavar="RESULTS",
    help="Explain the difference to the same run in another folder of runs, by the predictions of both.",
)
@settings_options
@trust_option
@out_option
@json_option
def command(
    row_id: str,
    run: str | None,
    rerun: bool,
    targets: tuple[str, ...],
    baseline: Path | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Find the settings that turn a run's numbers into the published ones, or into those of a baseline.

    ROW is a row's full id, e.g. coco/hrnet-w32-256x192, or mine.yaml/my-net-256x192 for a row of your own suite, a YAML
    file. The configs of such a suite are executed. `harness run` must have evaluated the row.

    The saved predictions are scored in other ways: score mode, NMS, area rule, sigmas, thresholds, keypoints moved,
    rounded or in another order, AR read as AR@0.75 and more. --rerun takes the options of the run. It also tries other
    settings of the network: boxes, flip test, shift, decoder, padding, affine, resampling, colours, mean and std.
    No cause is named if wrong settings often give such values by chance.

    --baseline compares the predictions of both runs person by person and names the differences. Published values
    are not used then. With --rerun, the network computes a few images with other settings.

    The exit code is 1 if no cause is found.
    """
    from harness.run.named_run import claims_to_explain, named_row, named_run

    suite, row = named_row(row_id)
    run = named_run(suite, row, run)
    if baseline and targets:
        raise UsageError("--target and --baseline exclude each other", "give one of them")
    claims = [] if baseline else claims_to_explain(suite, row, run, _values(targets))
    check_data_folder(chosen["data"])
    from harness.cli.progress import TerminalProgress
    from harness.report.explanation import explanation_text
    from harness.run.device import choose_device
    from harness.run.explanation import explain
    from harness.run.plan import Settings

    settings = Settings(**chosen | {"device": choose_device(chosen["device"])}, engine="shared")
    if baseline:
        from harness.report.differences import differences_text
        from harness.run.explanation_of_difference import explain_difference_of

        with TerminalProgress(1) as progress:
            differences = explain_difference_of(suite, row, run, settings, baseline, rerun, progress)
        click.echo(differences.model_dump_json(indent=2) if as_json else differences_text(differences))
        return 0 if differences.untold is None else 1
    with TerminalProgress(1) as progress:
        explanation = explain(suite, row, run, settings, claims, rerun, progress)
    if as_json:
        click.echo(explanation.model_dump_json(indent=2))
    else:
        click.echo(explanation_text(explanation, suite.metrics, rerun))
    return 0 if explanation.as_run.matches_claims or explanation.causes else 1


def _values(targets: Iterable[str]) -> dict[str, float]:
    """Return the values of METRIC=VALUE texts by metric.

    Raises:
        UsageError: A text has another form, or a metric has several values.
    """
    values: dict[str, float] = {}
    for text in targets:
        metric, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not metric.strip() or not math.isfinite(number):
            raise UsageError(f"--target needs METRIC=VALUE, such as AP=0.749, not {text}")
        if metric in values:
            raise UsageError(f"--target names {metric} several times; keep one of them")
        values[metric] = number
    return values
