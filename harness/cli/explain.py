"""`harness explain`: which settings give the published number."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import (
    check_data_folder,
    json_option,
    out_option,
    path_option,
    settings_options,
    trust_option,
)
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.suites.schema import Claim, Row, Suite


@click.command("explain")
@click.argument("row_id", metavar="ROW")
@click.option("--run", metavar="NAME", help="Which run of the row, where it has several, e.g. sub1 of JHMDB.")
@click.option(
    "--rerun", is_flag=True, help="Also try what needs the network again; it takes about as long as thirty runs."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Explain this value, in the table's unit, not the row's claims.",
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
    """Say which settings turn a run's numbers into the claimed ones, or into those of a baseline.

    ROW is a row's full id, e.g. coco/hrnet-w32-256x192, or mine.yaml/my-net-256x192 where the suite is a YAML file of
    your own, whose configs are executed. `harness run` must have evaluated it. The command scores its predictions in
    other ways: score mode, NMS, area rule, sigmas, thresholds, keypoints moved, rounded or in another order, AR read as
    AR@0.75 and more. With --rerun, which takes the same options as the run did, it also predicts again with other
    boxes, flip test, shift, decoder, padding, affine, resampling, colours, mean and std. Settings that cannot be scored
    are skipped and listed. A setting that gives the claims is no cause if wrong settings often give such claims. With
    --baseline, the claims do not matter: the command compares the predictions of both sides, person by person, and
    names the kind of difference; with --rerun it repeats the prediction of a few images with changed settings. Exit
    code 1 if no cause is found.
    """
    from harness.suites.load import load_suite, select_rows

    suite_name, _, name = row_id.rpartition("/")
    if row_id.endswith((".yaml", ".yml")):
        forms = [f"{row_id}/{row.id}" for row in load_suite(Path(row_id)).rows]
        raise UsageError(f"{row_id} is a suite; name one of its rows", ", ".join(forms[:10]))
    if not suite_name:
        raise UsageError(
            f"{row_id!r} is not a row's full id, such as coco/hrnet-w32-256x192 or mine.yaml/my-net-256x192",
            "harness list shows them",
        )
    suite = load_suite(suite_name)
    rows = select_rows(suite, name)
    if len(rows) > 1:
        raise UsageError(f"{row_id} matches {len(rows)} rows: {', '.join(map(suite.row_id, rows))}", "name one")
    run = _run_name(suite, rows[0], run)
    if baseline and targets:
        raise UsageError("--target and --baseline exclude each other", "name what is to be explained by one of them")
    claims = [] if baseline else _claims(suite, rows[0], run, targets)
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
            differences = explain_difference_of(suite, rows[0], run, settings, baseline, rerun, progress)
        click.echo(differences.model_dump_json(indent=2) if as_json else differences_text(differences))
        return 0 if differences.untold is None else 1
    with TerminalProgress(1) as progress:
        explanation = explain(suite, rows[0], run, settings, claims, rerun, progress)
    if as_json:
        click.echo(explanation.model_dump_json(indent=2))
    else:
        click.echo(explanation_text(explanation, suite.metrics, rerun))
    return 0 if explanation.as_run.lands or explanation.causes else 1


def _run_name(suite: "Suite", row: "Row", run: str | None) -> str:
    if run is None and len(row.runs) == 1:
        return next(iter(row.runs))
    if run not in row.runs:
        raise UsageError(f"{suite.row_id(row)} has the runs {', '.join(row.runs)}", "choose one with --run NAME")
    return run


def _claims(suite: "Suite", row: "Row", run: str, targets: tuple[str, ...]) -> "list[Claim]":
    from harness.suites.schema import Claim

    if targets:
        claims = []
        for target in targets:
            metric, _, value = target.rpartition("=")
            try:
                claims.append(Claim(metric=metric, value=float(value), source="table"))
            except ValueError:
                raise UsageError(f"--target {target} is not METRIC=VALUE, such as AP=0.749") from None
            if metric not in suite.metrics:
                raise UsageError(f"--target {target}: {suite.name} publishes {', '.join(suite.metrics)}")
        return claims
    alone = len(row.runs) == 1
    claims = [claim for claim in row.claims if not claim.refuted and (claim.run == run or (alone and not claim.run))]
    if not claims:
        raise UsageError(
            f"nothing is published of {suite.row_id(row)} {run}", "name a value with --target METRIC=VALUE"
        )
    return claims
