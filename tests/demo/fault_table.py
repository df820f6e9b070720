"""The table of planted faults, for `nox -s faults`: compare's and explain's first answers, and whether they are right.

Each fault is planted in the first images of the demo suite. HARNESS_FAULTS names some, separated by commas.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from conftest import Harness
from many_faults import HARMLESS, TABLE, UNLISTED
from trying import Answer, answer, run_right

from harness.report.markdown import markdown_table

IMAGES = 25
PAGE = Path(__file__).parents[2] / "results/faults.md"


@pytest.mark.timeout(7200)
def test_table(harness: Harness, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--limit", IMAGES)
    run_right(harness, demo, tmp_path / "right", options)
    wanted = [name for name in os.environ.get("HARNESS_FAULTS", "").split(",") if name]
    answers: dict[str, list[Answer]] = {}
    for kind, faults in (("table", TABLE), ("unlisted", UNLISTED), ("harmless", HARMLESS)):
        answers[kind] = []
        for number, (name, planted) in enumerate(faults.items()):
            if wanted and name not in wanted:
                continue
            found = answer(harness, demo, tmp_path / "right", tmp_path / f"{kind}-{number}", name, planted, options)
            with capsys.disabled():
                print(found, flush=True)
            answers[kind].append(found)
    if not wanted:
        PAGE.write_text(page(answers), encoding="utf-8")
    assert all(one.noticed for kind in ("table", "unlisted") for one in answers[kind])
    assert not any(one.noticed for one in answers["harmless"])
    assert not [one for kind in ("table", "unlisted") for one in answers[kind] if one.rating == "wrong with confidence"]
    right = [one.rating.startswith("right") for one in answers["table"]]
    assert sum(right) >= 0.75 * len(right)


def page(answers: dict[str, list[Answer]]) -> str:
    """Return the table as Markdown."""
    lines = [
        "# Planted faults",
        "",
        f"Each fault is planted in a run of the demo suite's first {IMAGES} images, by its config, weights, data or by",
        "other code that is there for the run alone. `harness compare` names what moved, `harness explain --baseline",
        "--rerun` the cause. `nox -s faults` writes this page.",
    ]
    titles = {"table": "Faults", "unlisted": "Faults that no list of explain has", "harmless": "No faults"}
    for kind, found in answers.items():
        counts = ", ".join(f"{count} {rating}" for rating, count in Counter(one.rating for one in found).most_common())
        rows = [(one.fault, one.compared, one.explained, one.rating) for one in found]
        heads = ("planted", "compare", "explain, first", "")
        lines += ["", f"## {titles[kind]}", "", f"{len(found)}: {counts}.", "", *markdown_table(heads, "llll", rows)]
    return "\n".join(lines) + "\n"
