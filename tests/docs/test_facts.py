"""Tables of the pages agree with the code."""

import re

import pytest
from pages import ROOT

from harness.cli import VERBS
from harness.protocol import Protocol
from harness.record import Record
from harness.run_folder import RunFolder
from harness.suites.load import GROUPS, load_suite, published_suites, suites_of


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def first_column(text: str) -> set[str]:
    """Return what stands between backticks in the first cells of tables."""
    cells = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("document", [Record, Protocol])
def test_each_field_of_a_document_is_described(document: type[Record] | type[Protocol]) -> None:
    name = f"{document.title}.json"
    section = page("run-folder.md").partition(f"## {name}\n")[2].partition("\n## ")[0]
    assert first_column(section) == set(document.model_fields)


def test_each_file_of_a_run_is_described() -> None:
    files = {value._name for value in vars(RunFolder).values() if hasattr(value, "_name")}
    assert files == {name.rstrip("/") for name in first_column(page("run-folder.md").partition("\n## ")[0])}


def test_each_verb_is_described() -> None:
    assert {command.split()[1] for command in first_column(page("commands.md")) if command[:8] == "harness "} == {
        *VERBS
    }


def test_each_group_has_its_suites() -> None:
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.*) \|$", page("suites.md").partition("Evaluate your own")[0], re.MULTILINE)
    )
    assert set(rows) == set(GROUPS) - {"all"}
    for group, cell in rows.items():
        named = set(re.findall(r"`([^`]+)`", cell)) - {"-pages"}
        assert named == {name for name in suites_of(group) if not name.endswith("-pages")}
    assert sum(name.endswith("-pages") for name in suites_of("body")) == 6


def test_the_numbers_of_rows_and_runs() -> None:
    suites = [load_suite(name) for name in published_suites()]
    rows = [row for suite in suites for row in suite.rows]
    counts = f"{len(rows)} rows", f"{sum(len(row.runs) for row in rows)} runs"
    for text in (page("suites.md"), (ROOT / "README.md").read_text(encoding="utf-8")):
        assert all(count in text for count in counts), counts


def test_each_session_that_a_page_names_is_there() -> None:
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    texts = [path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]]
    named = {name for text in texts for name in re.findall(r"nox -s (\w+)", text)}
    assert named <= sessions
    assert {"release", "lint", "tests"} <= named
