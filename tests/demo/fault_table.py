"""The table of planted faults, for `nox -s faults`: first answers of compare and explain, and whether they are right.

Each fault is planted in the first images of the demo suite. HARNESS_FAULTS selects some faults, separated by
semicolons; the answers for all others are then kept from the existing table.
"""

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import Harness
from many_faults import HARMLESS, TABLE, UNLISTED
from trying import Answer, answer, run_right

from harness.files import write_json
from harness.report.markdown import markdown_table

IMAGES = 20
RESULTS = Path(__file__).parents[2] / "results"
PAGE, ANSWERS = RESULTS / "faults.md", RESULTS / "faults.json"
KINDS = {"table": TABLE, "unlisted": UNLISTED, "harmless": HARMLESS}


@pytest.mark.timeout(7200)
def test_table(harness: Harness, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--limit", IMAGES)
    run_right(harness, demo, tmp_path / "right", options)
    wanted = [name for name in os.environ.get("HARNESS_FAULTS", "").split(";") if name]
    answers = _former() if wanted else {}
    for kind, faults in KINDS.items():
        for number, (name, planted) in enumerate(faults.items()):
            if wanted and name not in wanted:
                continue
            found = answer(harness, demo, tmp_path / "right", tmp_path / f"{kind}-{number}", name, planted, options)
            with capsys.disabled():
                print(found, flush=True)
            answers[name] = found
            write_json(ANSWERS, {one: asdict(made) for one, made in answers.items()})
    PAGE.write_text(page(answers), encoding="utf-8")
    all_answers = [answers[name] for name in (*TABLE, *UNLISTED)]
    assert all(one.noticed or one.compared == "same" for one in all_answers)  # `same`: no metric moved
    assert not any(answers[name].noticed for name in HARMLESS)
    assert not [one for one in all_answers if one.rating == "wrong with confidence"]
    right = [answers[name].rating.startswith("right") for name in TABLE]
    assert sum(right) >= 0.75 * len(right)


def _former() -> dict[str, Answer]:
    """Return the answers of the existing table."""
    return {name: Answer(**made) for name, made in json.loads(ANSWERS.read_text(encoding="utf-8")).items()}


def page(answers: dict[str, Answer]) -> str:
    """Return the table as Markdown."""
    lines = [
        "# Planted faults",
        "",
        f"Each fault is planted in a run on the first {IMAGES} images of the demo suite: in the config, the weights,",
        "the data, or by code that is changed for this run only. `harness compare` names the metrics that moved.",
        "`harness explain --baseline --rerun` names the cause. A cause is `shown` if undoing it gives the results of",
        "the baseline, and `likely` if the records or the predictions show it. `explain` tries most faults of the",
        "first table as settings, and none of the second table. `nox -s faults` writes this page.",
    ]
    titles = {"table": "Faults", "unlisted": "Faults that explain does not try", "harmless": "No faults"}
    for kind, faults in KINDS.items():
        found = [answers[name] for name in faults if name in answers]
        counts = ", ".join(f"{count} {rating}" for rating, count in Counter(one.rating for one in found).most_common())
        rows = [(one.fault, one.compared, one.explained, one.rating) for one in found]
        heads = ("planted", "compare", "explain, first", "")
        lines += ["", f"## {titles[kind]}", "", f"{len(found)}: {counts}.", "", *markdown_table(heads, "llll", rows)]
    return "\n".join(lines) + "\n"
