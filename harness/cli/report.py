"""`harness report`: pages for people, from records."""

import json
from collections import Counter
from pathlib import Path

import click

from harness.cli.options import check_data_folder, check_writable, json_option, path_option

DEFAULT_RESULTS = (Path("results"), Path("runs"))
PARITY = Path("results/parity.json")


@click.command("report")
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
    "--data", metavar="DIR", help="An MMPose data/ folder: the worst and the median cases are then shown as pictures."
)
@path_option(
    "--parity",
    metavar="FILE",
    help="What `harness parity` counted: FLOPs of rows whose records do not have them.  "
    f"[default: {PARITY}, if it is there]",
)
@path_option("--out", metavar="DIR", default=Path("reports/site"), help="Where the site goes.")
@json_option
def command(
    results: tuple[Path, ...], suites: tuple[str, ...], data: Path | None, parity: Path | None, out: Path, as_json: bool
) -> None:
    """Write a site of all suites, with what the records below RESULTS say, to open as files.

    RESULTS are folders that `harness run --out` wrote, the oldest first: of each run the last whole record counts, and
    all of them are its history. Without any, `results` and `runs` are read, as far as they are there; without a record
    the site shows what was published, and what is wrong with that.
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
    click.echo(f"{len(site.standings)} rows: {verdicts}\n{site.path}   {site.bytes / 1e6:.1f} MB")
