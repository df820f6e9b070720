"""`harness fetch`: the data sets, box files and checkpoints that runs need."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from harness.cli.options import checkpoints_option, data_option, json_option, rows_option, suites_argument
from harness.errors import HarnessError, ObtainError

SCHEMA_VERSION = 1
WIDTH = 10


@click.command("fetch")
@suites_argument
@rows_option
@data_option
@checkpoints_option
@click.option("--dry-run", is_flag=True, help="Download nothing; show every file, its size, its source and its state.")
@json_option
def command(
    suites: tuple[str, ...], glob: str | None, data: Path, checkpoints: Path, dry_run: bool, as_json: bool
) -> int:  # fmt: skip
    """Download what runs of SUITE need and is not there; without one, of all suites.

    Data goes into the layout of MMPose's data/ folder, downloads resume, and every file is verified before it takes its
    name. What no program may download is named with what to do. HARNESS_CACHE names the folder of archives and
    checkpoints; HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured. Exit code 3 if anything is still missing.
    """
    from harness.spec.load import select, suite_names

    work = select(suites or suite_names(), glob)
    from harness.assets.fetch import Item, checkpoint_item, data_items, obtain
    from harness.spec.configs import load_config
    from harness.spec.ledger import data_paths

    groups: dict[str, list[Item]] = {}
    for suite, rows in work:
        runs = [(row, run) for row in rows for run in row.runs.values()]
        paths = [path for row, run in runs for path in data_paths(load_config(suite, row, run))]
        groups[suite.title] = data_items(paths, data)
        files = {run.checkpoint.file_name: run.checkpoint for _, run in runs}
        groups[f"Checkpoints of {suite.name}"] = [checkpoint_item(file, checkpoints) for file in files.values()]
    items = {item.target: item for group in groups.values() for item in group}

    failures: dict[str, str] = {}
    if dry_run:
        sizes = _sizes(items.values())
        for title, group in groups.items():
            click.echo(f"{title}\n{''.join(_lines(group, sizes))}", err=as_json)
        click.echo(_total(items.values(), sizes), err=as_json)
    else:
        from harness.cli.progress import DownloadProgress

        sizes = {}
        with DownloadProgress() as progress:
            for item in items.values():
                if item.state == "there":
                    continue
                try:
                    obtain(item, data, progress.update)
                    progress.echo(f"{'fetched':<{WIDTH}}  {item.target}", err=as_json)
                except ObtainError as error:
                    failures[item.name] = str(error)
                    progress.echo(f"{'missing':<{WIDTH}}  {item.target}\n{error}\n", err=as_json)
        there = sum(item.state == "there" for item in items.values())
        fetched = len(items) - there - len(failures)
        click.echo(f"{there} there already, {fetched} fetched, {len(failures)} missing", err=as_json)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "items": [_as_json(item, sizes, failures.get(item.name)) for item in items.values()],
        }
        click.echo(json.dumps(document, indent=2))
    return HarnessError.exit_code if failures else 0


def _sizes(items: Iterable[Any]) -> dict[str, int]:
    """Ask the servers for the sizes of downloads that nobody states, by the name of the download."""
    from harness.assets.download import remote_sizes

    unknown = {item.download: item.urls[0] for item in items if item.state != "there" and item.urls and not item.size}
    found = remote_sizes(list(unknown.values()))
    return {name: size for name, url in unknown.items() if (size := found.get(url)) is not None}


def _lines(items: list[Any], sizes: dict[str, int]) -> Iterable[str]:
    for item in items:
        size = _bytes(item.size or sizes.get(item.download)) if item.state != "there" else ""
        yield f"  {item.state:<{WIDTH}}  {size:>{WIDTH}}  {item.name}{f'  ({item.remark})' if item.remark else ''}\n"
        if item.state != "there":
            places = [f"from {url}" for url in item.urls] or ["by hand, see below"]
            yield from (f"  {'':<{WIDTH}}  {'':>{WIDTH}}    {place}\n" for place in places)
    by_hand = [item for item in items if item.state != "there" and not item.urls]
    from harness.assets.fetch import instructions

    for item in by_hand:
        yield "".join(f"    {line}\n" for line in instructions(item.source)) if item.source else ""


def _total(items: Iterable[Any], sizes: dict[str, int]) -> str:
    absent = [item for item in items if item.state != "there"]
    wanted = {item.download: item.size or sizes.get(item.download) for item in absent if item.urls}
    by_hand = sum(not item.urls for item in absent)
    known = [size for size in wanted.values() if size is not None]
    parts = [
        f"{sum(item.state == 'there' for item in items)} there",
        f"{len(wanted)} downloads, {_bytes(sum(known))} in all"
        + (f" and {len(wanted) - len(known)} of unknown size" if len(known) < len(wanted) else ""),
        f"{by_hand} by hand",
    ]
    return "; ".join(parts)


def _bytes(size: int | None) -> str:
    if size is None:
        return "size ?"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


def _as_json(item: Any, sizes: dict[str, int], failure: str | None) -> dict[str, Any]:
    return {
        "name": item.name, "what": item.what, "path": str(item.target), "state": item.state,
        "remark": item.remark or None, "download": item.download, "urls": item.urls,
        "size": item.size or sizes.get(item.download or ""), "failure": failure,
    }  # fmt: skip
