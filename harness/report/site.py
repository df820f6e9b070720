"""Writes the whole site: the first page, a page per suite, a page per row, and downloads."""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.errors import UsageError
from harness.report.cases import FIGURE, Room
from harness.report.downloads import FORMS
from harness.report.index_page import index_page
from harness.report.model_index import model_index
from harness.report.pages import shared_files, slug
from harness.report.protocol_table import usual_fields
from harness.report.results import Results
from harness.report.row_page import row_page
from harness.report.sizes import Size
from harness.report.standings import Standing, read_standings
from harness.report.suite_page import suite_page
from harness.suites.load import suite_names
from harness.suites.schema import Suite

MARKER = "site.json"
"""File that marks a folder as a site, which a new site may replace."""
SMALL_SITE, ROW = 7_900_000, 26_500
"""Maximum size of a site in bytes, and of a larger site for each row: 7.9 MB for the 297 rows of networks that give
heatmaps. Pictures use what pages and tables leave."""
SIDES = (220, 140, 80)
"""Lengths of a picture's longer side, px; the first one at which six pictures fit is used."""


@dataclass(frozen=True)
class Site:
    """The outcome of writing a site."""

    path: Path
    """The first page."""
    standings: tuple[Standing, ...]
    bytes: int
    problems: tuple[str, ...]
    """Files that could not be read; the first page lists them too."""


def write_site(
    out: Path, suites: Sequence[Suite], results: Results, sizes: Mapping[str, Size], data: Path | None
) -> Site:
    """Write the site; an existing site stays unchanged until the new one is complete.

    Args:
        out: Folder for the site.
        suites: The suites in the order of the page.
        results: Results of any suites; results of suites that are not shown are listed as problems.
        sizes: The result of `read_sizes`.
        data: An MMPose data/ folder, for pictures of cases; None for a site without.

    Raises:
        UsageError: The folder contains other files.
    """
    _refuse_others(out)
    problems = [*(f"left out: {one}" for one in results.changed), *results.problems, *_strangers(suites, results)]
    tables: list[tuple[Suite, list[Standing]]] = []
    for suite in suites:
        standings, unread = read_standings(suite, results.found, sizes)
        tables.append((suite, standings))
        problems += unread
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.", suffix=".part") as staging:
        new = Path(staging, "new")
        _write(new, tables, results, problems, data)
        size = _size(new)
        _swap(new, out, Path(staging, "old"))
    every = tuple(standing for _, standings in tables for standing in standings)
    return Site(out / "index.html", every, size, tuple(problems))


def _refuse_others(out: Path) -> None:
    """Check that only an earlier site is replaced."""
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} contains other files than a site", "name another --out DIR")


def _strangers(suites: Sequence[Suite], results: Results) -> list[str]:
    """Return a message for each suite that is not shown but has records, and for each record of an unknown row."""
    known = {suite.row_id(row): set(row.runs) for suite in suites for row in suite.rows}
    names = {suite.name for suite in suites}
    elsewhere = Counter(result.record.suite for result in results.found if result.record.suite not in names)
    return [
        *(
            f"records left out, as the site has no suite {name}: {count}\n"
            f"  add `--suite {name if name in suite_names() else 'PATH'}`"
            for name, count in elsewhere.items()
        ),
        *(
            f"a record of {record.full_id}, run {record.run}, which the suite does not have: {result.folder.record}"
            for result in results.found
            if (record := result.record).suite in names and record.run not in known.get(record.full_id, ())
        ),
    ]


def _write(
    folder: Path,
    tables: Sequence[tuple[Suite, list[Standing]]],
    results: Results,
    problems: Sequence[str],
    data: Path | None,
) -> None:
    sources = list(dict.fromkeys(str(result.source) for result in results.found))
    usual = {suite.name: usual_fields(standings) for suite, standings in tables}
    for suite, standings in tables:
        here = folder / slug(suite.name)
        _put(here / "index.html", suite_page(suite, standings, usual[suite.name]))
        for form, download in FORMS.items():
            _put(here / f"{slug(suite.name)}.{form}", download(suite, standings))
    for name, text in shared_files().items():
        _put(folder / name, text)
    _put(folder / "index.html", index_page(tables, sources, problems))
    _put(folder / MARKER, json.dumps({"schema_version": 1, "made_by": f"pose-harness {__version__}"}) + "\n")
    every = [standing for _, standings in tables for standing in standings]
    for standing in every:
        _put_row(folder, standing, usual[standing.suite.name], None, Room(SIDES[0], 0))
    # The room left for pictures is known now: write the pages with pictures again.
    diagnosed = {standing.id: count for standing in every if (count := _diagnoses(standing))}
    room = _room(max(SMALL_SITE, ROW * len(every)) - _size(folder), sum(diagnosed.values()))
    for standing in every:
        if standing.id in diagnosed:
            _put_row(folder, standing, usual[standing.suite.name], data, room)


def _put_row(folder: Path, standing: Standing, usual: Mapping[str, str], data: Path | None, room: Room) -> None:
    """Write the page of a row, and its files."""
    here = folder / slug(standing.suite.name) / slug(standing.row.id)
    has_card = any(result.record.whole for result in standing.results.values())
    page = row_page(standing, usual, data, room, has_card)
    _put(here / "index.html", page.html)
    for name, image in page.images.items():
        (here / name).write_bytes(image)
    if has_card:
        _put(here / "model-index.yml", model_index(standing))


def _put(path: Path, text: str) -> None:
    """Write a file of the new site; not atomic, because no reader sees the site before it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _size(folder: Path) -> int:
    """Return the bytes of all files of a site."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _diagnoses(standing: Standing) -> int:
    """Return the number of runs of a row with a diagnosis."""
    return sum(result.folder.diagnosis.is_file() for result in standing.results.values())


def _room(left: int, runs: int) -> Room:
    """Divide the bytes for pictures: fewer diagnosed runs get more and larger pictures each."""
    share = max(0, left) // max(1, runs)
    side = next((side for side in SIDES if 6 * (2 * FIGURE + side**2 // 5) <= share), SIDES[-1])
    return Room(side, share)


def _swap(new: Path, out: Path, old: Path) -> None:
    """Move the new site into place; if that fails, restore the earlier one."""
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
