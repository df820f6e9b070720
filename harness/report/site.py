"""The whole site: the first page, a page a suite, a page a row, and downloads beside them."""

import json
import tempfile
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
from harness.suites.schema import Suite

MARKER = "site.json"
"""Says that a folder is a site, which a new one may replace."""

SITE = 7_900_000
"""Bytes of a site that has pictures: they get what the pages and tables leave of it, so that it is under 8 MB."""
SIDES = (220, 140, 80)
"""Lengths of a picture's longer side, px; the first of which six pictures fit."""


@dataclass(frozen=True)
class Site:
    """What was written."""

    path: Path
    """The first page."""
    standings: tuple[Standing, ...]
    bytes: int
    problems: tuple[str, ...]
    """What could not be read, also said on the first page."""


def write_site(
    out: Path, suites: Sequence[Suite], results: Results, sizes: Mapping[str, Size], data: Path | None
) -> Site:
    """Write the site; while that goes on, and if it fails, the former one stays as it is.

    Args:
        out: Its folder.
        suites: In the order in which they are shown.
        results: Of any suites; those of others are named among the problems.
        sizes: As `read_sizes` gives them.
        data: An MMPose data/ folder, for pictures of cases; None to do without.

    Raises:
        UsageError: There is something else in the folder.
    """
    _refuse_others(out)
    problems = [*results.problems, *_strangers(suites, results)]
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
    """Make sure that nothing but a former site is replaced."""
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} holds something else than a site", "name another --out DIR")


def _strangers(suites: Sequence[Suite], results: Results) -> list[str]:
    """Say which records belong to no row that is shown."""
    known = {suite.row_id(row): set(row.runs) for suite in suites for row in suite.rows}
    return [
        f"a record of {record.full_id}, run {record.run}, which no suite here has: {result.folder.record}"
        for result in results.found
        if (record := result.record).run not in known.get(record.full_id, ())
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
    # Now that it is known what room is left for pictures, once more the pages that have some.
    diagnosed = {standing.id: count for standing in every if (count := _diagnoses(standing))}
    room = _room(SITE - _size(folder), sum(diagnosed.values()))
    for standing in every:
        if standing.id in diagnosed:
            _put_row(folder, standing, usual[standing.suite.name], data, room)


def _put_row(folder: Path, standing: Standing, usual: Mapping[str, str], data: Path | None, room: Room) -> None:
    """Write the page of a row, and what lies beside it."""
    here = folder / slug(standing.suite.name) / slug(standing.row.id)
    has_card = any(result.record.whole for result in standing.results.values())
    page = row_page(standing, usual, data, room, has_card)
    _put(here / "index.html", page.html)
    for name, image in page.images.items():
        (here / name).write_bytes(image)
    if has_card:
        _put(here / "model-index.yml", model_index(standing))


def _put(path: Path, text: str) -> None:
    """Write a file of the new site, which nobody reads before it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _size(folder: Path) -> int:
    """Return the bytes of all files of a site."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _diagnoses(standing: Standing) -> int:
    """Return how many runs of a row have a diagnosis."""
    return sum(result.folder.diagnosis.is_file() for result in standing.results.values())


def _room(left: int, runs: int) -> Room:
    """Share out the bytes for pictures: with few diagnosed runs there are more pictures, and larger ones."""
    share = max(0, left) // max(1, runs)
    side = next((side for side in SIDES if 6 * (2 * FIGURE + side**2 // 5) <= share), SIDES[-1])
    return Room(side, share)


def _swap(new: Path, out: Path, old: Path) -> None:
    """Put the new site in place; if that fails, the former one comes back."""
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
