"""`harness report`: write HTML pages from records."""

import json
from collections import Counter
from pathlib import Path

import click

from harness.cli.help import Verb
from harness.cli.options import PARITY, check_data_folder, json_option, path_option
from harness.errors import counted
from harness.files import check_writable

DEFAULT_RESULTS = (Path("results"), Path("runs"))


@click.command("report", cls=Verb)
@click.argument("results", nargs=-1, metavar="[RESULTS...]", type=click.Path(path_type=Path))
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    help="Show this suite, by name, by group or by the path of its YAML file; may be repeated.  [default: all of the "
    "project's own]",
)
@path_option(
    "--data", metavar="DIR", help="An MMPose data/ folder. The pages then show pictures of the worst and median cases."
)
@path_option(
    "--parity",
    metavar="FILE",
    help="The outcome of `harness parity`; gives the FLOPs of rows whose records have none.  "
    f"[default: {PARITY}, if it exists]",
)
@path_option("--out", metavar="DIR", default=Path("reports/site"), help="Folder for the site.")
@json_option
def command(
    results: tuple[Path, ...], suites: tuple[str, ...], data: Path | None, parity: Path | None, out: Path, as_json: bool
) -> None:
    """Write a site with all suites and the records below RESULTS. The pages open as local files.

    RESULTS are folders that `harness run --out` wrote, the oldest first. For each run, the last complete record is
    shown, and all records form its history. By default, the folders `results` and `runs` are read, if they exist.
    Without records, the site shows the published values and their known errors.
    """
    from harness.report.results import read_results
    from harness.report.site import write_site
    from harness.report.sizes import read_sizes
    from harness.suites.load import expanded, load_suite, suite_names

    loaded = [load_suite(suite) for suite in expanded(suites) or suite_names()]
    if data is not None:
        check_data_folder(data)
    check_writable(out)
    found = read_results(results or [folder for folder in DEFAULT_RESULTS if folder.is_dir()])
    sizes = read_sizes(parity or PARITY) if parity or PARITY.is_file() else {}
    site = write_site(out, loaded, found, sizes, data)
    for problem in site.problems:
        click.echo(f"warning: {problem}", err=True)
    counts = Counter(standing.verdict for standing in site.standings)
    if as_json:
        document = {"schema_version": 1, "page": str(site.path), "rows": len(site.standings), "counts": counts}
        click.echo(json.dumps(document, indent=2))
        return
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    click.echo(f"{counted(len(site.standings), 'row')}: {verdicts}\n{site.path}   {site.bytes / 1e6:.1f} MB")
