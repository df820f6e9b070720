"""`harness explain`: which settings give the published number."""

import math
from typing import Any

import click

from harness.cli.help import Verb
from harness.cli.options import check_data_folder, json_option, out_option, settings_options, trust_option
from harness.errors import UsageError


@click.command("explain", cls=Verb)
@click.argument("row_id", metavar="ROW")
@click.option("--run", metavar="NAME", help="Which run of the row, where it has several, e.g. sub1 of JHMDB.")
@click.option(
    "--rerun", is_flag=True, help="Also try what needs the network again; it takes about as long as ten runs."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Explain this value, in the table's unit, not the row's claims.",
)
@settings_options
@trust_option
@out_option
@json_option
def command(row_id: str, run: str | None, rerun: bool, targets: tuple[str, ...], as_json: bool, **chosen: Any) -> int:
    """Say which settings turn a run's numbers into the claimed ones.

    ROW is a row's full id, e.g. coco/hrnet-w32-256x192, or mine.yaml/my-net-256x192 where the suite is a YAML file of
    your own, whose configs are executed. It is one that `harness run` has evaluated. Its predictions are scored in
    other ways: score mode, NMS, area rule, sigmas, keypoint threshold, swapped keypoints, AR read as AR@0.75 and more.
    With --rerun, which takes the same options as the run did, its network is asked again: other boxes, flip test,
    shift, decoder, padding, affine, colours. Exit code 1 if nothing lands on the claims.
    """
    from harness.run.named_run import claims_to_explain, named_row, named_run

    suite, row = named_row(row_id)
    run = named_run(suite, row, run)
    claims = claims_to_explain(suite, row, run, dict(map(_target, targets)))
    check_data_folder(chosen["data"])
    from harness.cli.progress import TerminalProgress
    from harness.report.explanation import explanation_text
    from harness.run.device import choose_device
    from harness.run.explanation import explain
    from harness.run.plan import Settings

    settings = Settings(**chosen | {"device": choose_device(chosen["device"])}, engine="shared")
    with TerminalProgress(1) as progress:
        explanation = explain(suite, row, run, settings, claims, rerun, progress)
    if as_json:
        click.echo(explanation.model_dump_json(indent=2))
    else:
        click.echo(explanation_text(explanation, suite.metrics, rerun))
    return 0 if explanation.as_run.lands or explanation.causes else 1


def _target(text: str) -> tuple[str, float]:
    """Return the metric and the value of METRIC=VALUE."""
    metric, _, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"--target {text} is not METRIC=VALUE, such as AP=0.749")
    return metric, number
