"""`harness compare`: show what changed since a baseline."""

import json
from pathlib import Path

import click

from harness.cli.help import Verb
from harness.cli.options import check_data_folder, json_option, path_option, rows_option, suites_argument
from harness.files import write_text


@click.command("compare", cls=Verb)
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("baseline", type=click.Path(path_type=Path))
@suites_argument
@rows_option
@path_option(
    "--data", metavar="DIR", help="An MMPose data/ folder: resample its images to get p-values of the changed metrics."
)
@click.option(
    "--noise-floor",
    type=click.FloatRange(min=0, max=1000),
    metavar="X",
    help="Largest change of a metric that is not red, in the metric's unit; a wider noise floor in the records has "
    "priority.  [default: 0.0001 for fractions, 0.00001 for NME, a tenth of the last printed digit for others]",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=100, max=100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Number of resamples of the images, for p-values.",
)
@path_option("--junit", metavar="FILE", help="Write JUnit XML to this file.")
@path_option("--markdown", metavar="FILE", help="Write a Markdown page for a pull request to this file.")
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
    """Show what changed between two folders of runs, such as `runs` and `results`.

    NEW and BASELINE are folders that `harness run` wrote with --out; SUITE, a name, a group or the path of a YAML file,
    and --rows select among their runs. The comparison is red, with exit code 1, if a metric changed by more than the
    noise floor in either direction, or if a run is missing, failed or cannot be compared. A run that failed in the
    baseline as well, and changes of protocol and environment, are listed, but are not red.
    """
    from harness.report.comparison import comparison_junit, comparison_markdown, comparison_text
    from harness.run.comparison import compare_folders

    if data:
        check_data_folder(data)
    comparison = compare_folders(new, baseline, suites, glob, data=data, noise_floor=noise_floor, resamples=resamples)
    if junit:
        write_text(junit, comparison_junit(comparison))
    if markdown:
        write_text(markdown, comparison_markdown(comparison))
    click.echo(comparison_text(comparison), err=as_json)
    if as_json:
        click.echo(json.dumps(comparison.model_dump(mode="json"), indent=2))
    return 1 if comparison.red else 0
