"""`harness fetch`: download the data sets, box files and checkpoints that runs need."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.assets.cache import cache_folder
from harness.cli.amounts import show_bytes, show_sizes
from harness.cli.help import Verb
from harness.cli.options import checkpoints_option, data_option, json_option, rows_option, suites_argument
from harness.errors import HarnessError, ObtainError

if TYPE_CHECKING:
    from mmengine.config import Config

    from harness.assets.fetch import Item
    from harness.suites.schema import Row, Suite

SCHEMA_VERSION = 1


@click.command("fetch", cls=Verb)
@suites_argument
@rows_option
@data_option
@checkpoints_option
@click.option("--dry-run", is_flag=True, help="Download nothing; show every file, its size, its source and its state.")
@json_option
def command(
    suites: tuple[str, ...], glob: str | None, data: Path, checkpoints: Path, dry_run: bool, as_json: bool
) -> int:
    """Download the missing files that runs of SUITE need; by default, of all tables. The demo's data is rendered.

    Data is stored in the layout of MMPose's data/ folder. Interrupted downloads resume, and every file is verified
    before it gets its name. Files that no program may download are listed with instructions. HARNESS_CACHE names the
    folder of archives and checkpoints; HTTP_PROXY, HTTPS_PROXY and NO_PROXY are used. Exit code 3 if a file is still
    missing.

    SUITE is a name, such as coco, a group, such as hand, or the path of your own YAML file, such as mine.yaml; --rows
    selects among its rows. A config next to that file is a Python program and is executed: fetch only for suites whose
    authors you trust.
    """
    from harness.suites.load import expanded, published_suites, select

    groups = _needed(select(suites or published_suites(), glob), data, checkpoints)
    items = [item for _, group in groups for item in group]
    sizes: dict[str, int] = {}
    failures: dict[str, str] = {}
    if dry_run:
        sizes = _remote_sizes(items)
        for title, group in groups:
            click.echo(f"{click.style(title, bold=True)}\n{''.join(_listing(group, sizes))}", err=as_json)
        click.echo(f"{_total(items, sizes)}; data folder {data}, cache {cache_folder()}", err=as_json)
        if suites and set(expanded(suites)) <= set(published_suites()) and "all" not in suites:
            table = select(published_suites(), None)
            everything = [item for _, group in _needed(table, data, checkpoints) for item in group]
            rows = sum(len(rows) for _, rows in table)
            click.echo(f"for all {rows} rows of all tables: {_total(everything, sizes)}", err=as_json)
    else:
        failures = _fetch(items, data, as_json)
        there = sum(item.state == "there" for item in items)
        fetched = len(items) - there - len(failures)
        click.echo(f"{there} already present, {fetched} fetched, {len(failures)} missing", err=as_json)
    if as_json:
        documents = [_as_json(item, sizes) | {"failure": failures.get(item.name)} for item in items]
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "dry_run": dry_run, "items": documents}, indent=2))
    return HarnessError.exit_code if failures else 0


def _needed(work: "list[tuple[Suite, list[Row]]]", data: Path, checkpoints: Path) -> "list[tuple[str, list[Item]]]":
    """Return the items of each suite by its title, without those that an earlier suite needs."""
    from harness.assets.fetch import checkpoint_item, data_items
    from harness.suites.configs import load_config
    from harness.suites.ledger import data_paths

    groups: dict[str, list[Item]] = {}
    seen: set[Path] = set()
    for suite, rows in work:
        runs = [(row, run) for row in rows if not row.cannot_run for run in row.runs.values()]
        configs = [load_config(suite, row, run) for row, run in runs]
        needed = data_items([path for config in configs for path in data_paths(config)], data)
        files = {run.checkpoint.file_name: run.checkpoint for _, run in runs}
        items = [
            *_with_listed_images(needed, configs, data),
            *(checkpoint_item(file, checkpoints) for file in files.values()),
        ]
        groups.setdefault(f"{suite.name}: {suite.title}", []).extend(item for item in items if item.target not in seen)
        seen |= {item.target for item in items}
    return list(groups.items())


def _with_listed_images(items: "list[Item]", configs: "list[Config]", data: Path) -> "list[Item]":
    """Return the items; an incomplete folder counts as present if it has all listed images."""
    from harness.datasets.listed_images import all_there, listed_images

    if not any(item.folder and item.state == "incomplete" for item in items):
        return items
    listed = listed_images(configs, data)
    found = []
    for item in items:
        images = {path for paths in listed.values() for path in paths or () if path.is_relative_to(item.target)}
        unknown = any(
            paths is None and ((data / folder).is_relative_to(item.target) or item.target.is_relative_to(data / folder))
            for folder, paths in listed.items()
        )
        if item.folder and item.state == "incomplete" and images and not unknown and all_there(images):
            item = replace(item, state="there", remark=f"the {len(images):,} images that the annotations list")
        found.append(item)
    return found


def _together(items: "list[Item]") -> "list[list[Item]]":
    """Group items that one download, one rendering or one instruction provides."""
    ways: dict[str, list[Item]] = {}
    for item in items:
        ways.setdefault(item.rendered or "".join(item.urls[:1] or item.instructions) or item.name, []).append(item)
    return list(ways.values())


def _fetch(items: "list[Item]", data: Path, as_json: bool) -> dict[str, str]:
    """Download the missing items; return the reasons of those that still are missing, by the item's name."""
    from harness.assets.fetch import obtain
    from harness.cli.progress import DownloadProgress

    failures: dict[str, str] = {}
    with DownloadProgress() as progress:
        for group in _together([item for item in items if item.state != "there"]):
            try:
                obtain(group[0], data, progress.update)  # one archive provides all items of the group
                outcome, reason = "fetched", ""
            except ObtainError as error:
                outcome, reason = "missing", f"\n{error}\n"
                failures |= dict.fromkeys((item.name for item in group), str(error))
            progress.echo("\n".join(f"{outcome}  {item.target}" for item in group) + reason, err=as_json)
    return failures


def _remote_sizes(items: "list[Item]") -> dict[str, int]:
    """Get the sizes in bytes of downloads without a stated size from the servers, by URL."""
    from harness.assets.download import remote_sizes

    unknown = [item for item in items if item.state != "there" and item.size is None and not item.cached]
    return remote_sizes(list(dict.fromkeys(url for item in unknown for url in item.urls)))


def _size(item: "Item", sizes: dict[str, int]) -> int | None:
    return item.size or next((sizes[url] for url in item.urls if url in sizes), None)


def _listing(items: "list[Item]", sizes: dict[str, int]) -> Iterator[str]:
    """Yield a line for each file and its source; the first of several files from one source shows its size."""
    steps: list[str] = []
    for group in _together(items):
        absent = [item for item in group if item.state != "there"]
        for item in group:
            name, size, state = item.name, "", "in the cache" if item in absent and item.cached else item.state
            if item in absent and item.rendered:
                size = "rendered"
            elif item in absent and not item.urls:
                size = "by hand"
            elif item in absent[:1] and not item.cached:
                size = "size ?" if (known := _size(item, sizes)) is None else show_bytes(known)
            if item in absent and item.urls and _names_it(item):
                name = item.urls[0]
            yield f"  {state:<12}  {size:>8}  {name}{f'  ({item.remark})' if item.remark else ''}\n"
        if absent and not absent[0].urls:
            steps += ["", *absent[0].instructions] if absent[0].instructions else []
        elif absent and not _names_it(absent[0]):
            sources = [str(absent[0].cached)] if absent[0].cached else absent[0].urls
            yield from (f"{'':26}{'or' if n else 'from':<4} {source}\n" for n, source in enumerate(sources))
    yield from (f"  {line}".rstrip() + "\n" for line in steps)
    if not items:
        yield "  all files are listed above\n"


def _names_it(item: "Item") -> bool:
    """Return whether an item's URL ends in its name, as a checkpoint's does."""
    return item.urls[0].endswith(f"/{item.name}")


def _total(items: "list[Item]", sizes: dict[str, int]) -> str:
    """Return the sum of what is to do, with each download counted once."""
    absent = [item for item in items if item.state != "there"]
    downloads = {item.urls[0]: _size(item, sizes) for item in absent if item.urls and not item.cached}
    counts = {
        "in the cache": sum(item.cached is not None for item in absent),
        "to render": sum(item.rendered is not None for item in absent),
        "by hand": sum(not item.urls and not item.rendered for item in absent),
        "there": len(items) - len(absent),
    }
    parts = [f"{len(downloads)} to download: {show_sizes(downloads.values())}" if downloads else "nothing to download"]
    return "; ".join([*parts, *(f"{count} {name}" for name, count in counts.items() if count)])


def _as_json(item: "Item", sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "name": item.name,
        "what": item.what,
        "path": str(item.target),
        "state": item.state,
        "remark": item.remark or None,
        "rendered": item.rendered,
        "download": item.download,
        "urls": item.urls,
        "size": _size(item, sizes),
        "in_cache": item.cached is not None,
        "instructions": item.instructions,
    }
