"""The commands of README and docs: each is taken by the command line, and runs where it needs no network."""

import doctest
import io
import json
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, blocks, commands, session
from usage import arguments_of, refused

from harness.cli import main
from harness.cli.verdicts import row_line, row_width, summary
from harness.record import Record
from harness.run.row_outcome import RowOutcome
from harness.suites.load import load_suite

NEEDS = {
    "published data or checkpoints, or a folder of one's own": r"\bDIR\b|/shared/|/data\b|\bWEIGHTS\b|\bOUT\b|\.\.\.",
    "downloads, or a package index": r"\bpip3? install\b|\bgather_wheels\b|\breproduce -- coco\b",
    "a GPU, a cluster or several devices": r"\bcuda\b|\bray\b|\bHARNESS_CUDA\b",
    "an environment of its own, which nox makes": r"^nox ",
    "a build": r"-m build\b",
    "a metafile of the reader": r"\bmetafile\.yml\b",
    "checkpoints that are not there": r"--checkpoint\b|explain mine",
    "minutes": r"run demo$|doctor --device|explain coco|run coco|measure_precisions",
    "a git hook": r"pre-commit|-m pytest",
}
"""Why a command is not run, by a pattern that it has."""
SHELL = [block for page in PAGES for block in blocks(page) if block.language == "bash"]
CONSOLE = [block for page in PAGES for block in blocks(page) if block.language == "console"]
PYTHON = [block for page in PAGES if page.name != "api.md" for block in blocks(page) if block.language == "python"]
PROGRAM = re.compile(r"(harness|python|python3|nox|pip|[A-Z_]+=\S+) ")


@pytest.fixture(scope="module")
def folder(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as the pages assume it: a checkout with the demo's data, and predictions of the reader."""
    place = tmp_path_factory.mktemp("reader")
    for name in ("docs", "results/demo", "benchmarks/demo"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copytree(demo, place / "data")
    truth = json.loads((place / "data/demo/coco/annotations/person_keypoints_val.json").read_text())
    poses = [
        {"image_id": one["image_id"], "category_id": 1, "score": 1.0}
        | {"keypoints": [value + 3 if number % 3 == 0 else value for number, value in enumerate(one["keypoints"])]}
        for one in truth["annotations"]
    ]
    (place / "poses.json").write_text(json.dumps(poses))
    mine = (place / "docs" / "mine.yaml").read_text(encoding="utf-8")
    (place / "mine.yaml").write_text(mine.replace("../benchmarks", "benchmarks"), encoding="utf-8")
    return place


def why_not_run(command: str) -> str | None:
    """Return what a command needs that a test has not."""
    return next((reason for reason, pattern in NEEDS.items() if re.search(pattern, command)), None)


RUNNABLE = sorted(
    {line for block in SHELL for line in commands(block) if arguments_of(line) and why_not_run(line) is None}
)


def run(command: str) -> tuple[int, str]:
    """Run a command of `harness` in the current folder; return the exit code and the standard output."""
    arguments = arguments_of(command)
    assert arguments is not None, f"not a command of harness: {command}"
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        code = main(arguments)
    return code, out.getvalue()


@pytest.mark.parametrize("block", SHELL + CONSOLE, ids=lambda block: f"{block.page.name}: {block.text[:40]!r}")
def test_the_command_line_takes_each_command(block: Block) -> None:
    lines = [line for line, _ in session(block)] if block.language == "console" else commands(block)
    for line in lines:
        arguments = arguments_of(line)
        if arguments is None:
            assert not line.startswith("harness "), line
        else:
            assert refused(arguments) is None, line


def test_the_pages_show_what_happens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One test, since the commands go on where others stopped, and are to run in one process.
    monkeypatch.chdir(folder)
    assert len(CONSOLE) > 5
    for block in CONSOLE:
        for command, shown in session(block):
            code, out = run(command)
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(shown, out, flags)
            assert code in (0, 1), f"{block.page.name}: {command}: exit code {code}"
            assert same, f"{block.page.name}: {command}\n{out}\nis not\n{shown}"
    for line in RUNNABLE:
        code, out = run(line)
        assert (code, bool(out)) == (0, True), line
    example_runs()
    for block in PYTHON:
        exec(compile(block.text, str(block.page), "exec"), {})


def example_runs() -> None:
    page = ROOT / "docs" / "example.md"
    code = "\n".join(block.text for block in blocks(page) if block.language == "pycon")
    assert code.count(">>> ") > 20
    said = io.StringIO()
    doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(code, {}, page.name, None, 0), out=said.write)
    assert not said.getvalue(), said.getvalue()


def test_each_command_runs_or_needs_what_a_test_has_not() -> None:
    left = {line for block in SHELL for line in commands(block) if why_not_run(line) is None}
    assert [line for line in left if PROGRAM.match(line) and arguments_of(line) is None] == []
    assert {"harness list hand", "harness check --json-schema", "harness fetch mine.yaml --dry-run"} <= set(RUNNABLE)


def test_the_page_shows_the_records_of_the_demo() -> None:
    suite = load_suite("demo")
    rows = [(suite, row) for row in suite.rows]
    outcomes = []
    for _, row in rows:
        record = Record.load(ROOT / "results" / "demo" / row.id / "val" / "record.json")
        outcomes.append(RowOutcome(suite, row, [record], record.claims, record.verdict))
    lines = [row_line(outcome, row_width(rows)) for outcome in outcomes]
    counted = list(summary(outcomes, Path("runs")))[1]
    (shown,) = [block.text for block in blocks(ROOT / "README.md") if block.language == "text"]
    assert sorted(re.sub(r"\x1b\[\d*m", "", line) for line in lines) == sorted(shown.splitlines()[:-2])
    assert shown.splitlines()[-1] == counted


def test_why_a_command_is_not_run() -> None:
    assert why_not_run("harness list hand") is None
    assert why_not_run("harness run coco --data DIR") == next(iter(NEEDS))
