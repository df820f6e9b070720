"""`harness run`: evaluate rows, compare them with the published values, and record the outcome."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from harness.cli.help import Verb
from harness.cli.options import (
    address_option,
    check_data_folder,
    compile_option,
    executor_option,
    json_option,
    out_option,
    precision_option,
    rows_option,
    settings_options,
    suites_argument,
    trust_option,
)
from harness.cli.stopping import terminable
from harness.cli.verdicts import exit_code, row_line, row_width, summary
from harness.errors import HarnessError, UsageError, counted
from harness.files import check_writable
from harness.imports import quick_imports

if TYPE_CHECKING:
    from harness.run.plan import Settings
    from harness.run.row_outcome import RowOutcome
    from harness.suites.schema import Row, Suite


@click.command("run", cls=Verb)
@suites_argument
@rows_option
@settings_options
@click.option(
    "--engine",
    type=click.Choice(["shared", "upstream"]),
    default="shared",
    show_default=True,
    help="shared: the engine of this project; upstream: MMPose's own test loop.",
)
@click.option(
    "--boxes",
    metavar="FILE|URL",
    help="Use this detector's box file instead of the published one: the verdict is then `own boxes`.",
)
@precision_option
@compile_option
@click.option(
    "--noise",
    is_flag=True,
    help="Also measure the noise floor: repeat each run with another batch size, order of sums and thread count.",
)
@executor_option
@address_option
@trust_option
@click.option("--offline", is_flag=True, help="Download nothing; rows with missing files are unobtainable.")
@out_option
@json_option
@click.option(
    "--events",
    type=click.File("a", lazy=False),
    metavar="FILE",
    help="Append a JSON line for each event; - is standard output.",
)
@click.option("--status", is_flag=True, help="Run nothing; show which runs are done, running, failed and to do.")
def command(
    suites: tuple[str, ...],
    glob: str | None,
    boxes: str | None,
    offline: bool,
    as_json: bool,
    events: IO[str] | None,
    status: bool,
    executor: str,
    address: str | None,
    **chosen: Any,
) -> int:
    """Evaluate the rows of a suite and compare them with the published values; by default, the rows of the demo.

    Missing files are downloaded first, as by `harness fetch`. Each run gets a folder below --out with its predictions,
    protocol, environment and record. An existing result is reused if it was made from the same content. To continue
    after an interruption, repeat the command; several processes may share an output folder.

    SUITE is a name, such as coco, a group of suites (body, wholebody, hand, face, animal, fashion, all), or the path of
    a YAML file. A config next to that file is a Python program and is executed: run only suites whose authors you
    trust.
    """
    from harness.suites.load import DEMO, select

    work = select(suites or (DEMO,), glob)
    rows = [(suite, row) for suite, selected in work for row in selected]
    if status:
        return _show_status(rows, chosen["out"], as_json)
    if chosen["engine"] == "upstream":
        if chosen["precision"] != "fp32" or chosen["compiled"]:
            raise UsageError("--precision and --compile need --engine shared: MMPose's own loop computes in fp32")
        if executor != "local" or "," in (chosen["device"] or ""):
            raise UsageError(
                "--engine upstream runs on one device of this machine", "leave out --executor, and name one --device"
            )
    if offline or chosen["data"].exists():
        check_data_folder(chosen["data"])
    check_writable(chosen["out"])
    with quick_imports():
        from harness.cli.events import Events, WatchedProgress
        from harness.run.executors.choose import choose_executor
        from harness.run.plan import Settings
        from harness.run.row_outcome import evaluate_rows

    told = Events(events)
    progress = WatchedProgress(len(rows), told)
    found = {"boxes": _box_file(boxes, offline), "fetch": not offline}
    outcomes: list[RowOutcome] = []
    width = row_width(rows)
    with choose_executor(executor, address, chosen["device"], progress.advance) as workers, terminable():
        settings = Settings(**chosen | found | {"device": workers.device})
        evaluated = evaluate_rows(rows, settings, workers, progress)
        progress.expect(_announce(rows, settings))
        told.write("begin", rows=[suite.row_id(row) for suite, row in rows], workers=workers.workers)
        try:
            with progress:
                for outcome in evaluated:
                    outcomes.append(outcome)
                    progress.row_done()
                    progress.echo(row_line(outcome, width), err=as_json)
                    told.row(outcome)
        except (KeyboardInterrupt, SystemExit):
            told.write("stopped", done=len(outcomes), left=len(rows) - len(outcomes))
            click.echo(
                f"stopped: {len(outcomes)} of {len(rows)} rows are done; repeat the command to continue", err=True
            )
            raise
    told.write("end", exit_code=exit_code(outcomes))
    place = {suite.row_id(row): number for number, (suite, row) in enumerate(rows)}
    outcomes.sort(key=lambda outcome: place[outcome.id])
    for line in summary(outcomes, settings.out):
        click.echo(line, err=as_json)
    if as_json:
        document = {
            "schema_version": 1,
            "rows": [outcome.as_json() for outcome in outcomes],
            "counts": Counter(outcome.verdict for outcome in outcomes),
        }
        click.echo(json.dumps(document, indent=2))
    return HarnessError.exit_code if told.failed else exit_code(outcomes)


def _show_status(rows: list[tuple["Suite", "Row"]], out: Path, as_json: bool) -> int:
    """Show the state of the runs; return exit code 3 if one failed, else 0."""
    from harness.run.status import run_status

    found = run_status(rows, out)
    counts = Counter(status.state for status in found)
    if as_json:
        click.echo(
            json.dumps({"schema_version": 1, "runs": [asdict(one) for one in found], "counts": counts}, indent=2)
        )
    else:
        width = max((len(status.id) for status in found), default=0)
        for one in found:
            share = f"{100 * one.share:.0f} %   " if 0 < one.share < 1 else ""
            click.echo(f"{one.id:<{width}}   {one.state:<7}   {share}{one.detail}".rstrip())
        states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
        click.echo(f"\n{counted(len(found), 'run')}: {states}")
    return HarnessError.exit_code if counts["failed"] else 0


def _announce(rows: list[tuple["Suite", "Row"]], settings: "Settings") -> int:
    """Print the size of the downloads and the expected duration to standard error; return the people of all rows."""
    from harness.cli.amounts import show_duration, show_sizes
    from harness.run.forecast import forecast
    from harness.suites.load import argument_of

    if not settings.data.exists():
        click.echo(f"data folder {settings.data} does not exist; it will be created", err=True)
    try:
        ahead = forecast(rows, settings)
    except Exception as error:  # noqa: BLE001 (the rows that cause the error report it in their records)
        click.echo(f"no forecast: {type(error).__name__}: {error}", err=True)
        return 0
    downloads = {item.urls[0]: item.size for item in ahead.missing if item.urls and not item.cached}
    if downloads:
        sizes, suites = show_sizes(downloads.values()), " ".join(dict.fromkeys(argument_of(suite) for suite, _ in rows))
        click.echo(f"{len(downloads)} to download: {sizes} (`harness fetch {suites} --dry-run` lists them)", err=True)
    if ahead.seconds is not None:
        people = counted(ahead.left, "person", "people")
        click.echo(
            f"to do: up to {people}, about {show_duration(ahead.seconds)} on {settings.device}; "
            "--rows GLOB or --limit N evaluates a part",
            err=True,
        )
    return ahead.people


def _box_file(named: str | None, offline: bool) -> Path | None:
    """Return the path of the file of --boxes; download it if it is a URL."""
    if named is None:
        return None
    if not named.startswith(("http://", "https://")):
        if not Path(named).is_file():
            raise UsageError(f"--boxes {named}: no such file", "name a box file or a URL")
        return Path(named)
    from harness.assets.cache import cache_folder
    from harness.cli.progress import download_with_bar

    try:
        name = PurePosixPath(urlsplit(named).path).name or "boxes.json"
    except ValueError as error:
        raise UsageError(f"--boxes {named}: {error}") from error
    target = cache_folder() / "boxes" / hashlib.sha256(named.encode()).hexdigest()[:8] / name
    if offline:
        if not target.is_file():
            raise UsageError(f"--boxes {named} is not in the cache, and --offline downloads nothing")
        return target
    found = download_with_bar(named, target, "the box file")
    click.echo(f"boxes: {found.path}{'' if found.url else ', from an earlier download'}", err=True)
    return found.path
