"""`harness compare`: what moved since a baseline."""

import json
from pathlib import Path

import click

from harness.cli.options import check_data_folder, json_option, path_option, rows_option
from harness.files import write_text


@click.command("compare")
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("suites", nargs=-1, metavar="[SUITE...]")
@rows_option
@path_option(
    "--data", metavar="DIR", help="An MMPose data/ folder: what moved is resampled on its annotations, for p-values."
)
@click.option(
    "--noise-floor",
    type=click.FloatRange(min=0, max=1000),
    metavar="X",
    help="How far a metric may move, in its unit, where the records have no wider measured noise floor.  [default: "
    "0.0001 of a fraction, of NME a tenth of that, a tenth of the last printed digit of others]",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=100, max=100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Of the images, for p-values.",
)
@path_option("--junit", metavar="FILE", help="Write JUnit XML to a file.")
@path_option("--markdown", metavar="FILE", help="Write a page for a pull request to a file.")
@json_option
def command(
    new: Path,
    baseline: Path,
    suites: tuple[str, ...],
    glob: str | None,
    data: Path | None,
    noise_floor: float | None,
    resamples: int,
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Show what moved between two folders of runs, such as `runs` and `results`.

    NEW and BASELINE are folders that `harness run` was given as --out; SUITE and --rows choose among their runs. Red,
    with exit code 1, is a metric that moved further than the noise floor, up or down, and a run that vanished, broke or
    cannot be compared. Changes of protocol and environment are named, and are not red by themselves.
    """
    from harness.judge.comparison import compare
    from harness.report.comparison import comparison_junit, comparison_markdown, comparison_text
    from harness.run.comparison import pair_by_resampling, read_outcomes

    if data:
        check_data_folder(data)
    comparison = compare(
        read_outcomes(new, suites, glob),
        read_outcomes(baseline, suites, glob),
        noise_floor,
        pair_by_resampling(new, baseline, data, resamples) if data else None,
    )
    if junit:
        write_text(junit, comparison_junit(comparison))
    if markdown:
        write_text(markdown, comparison_markdown(comparison))
    click.echo(comparison_text(comparison), err=as_json)
    if as_json:
        click.echo(json.dumps(comparison.model_dump(mode="json"), indent=2))
    return 1 if comparison.red else 0
