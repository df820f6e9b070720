"""Makes a run with a planted fault, and runs `harness compare` and `harness explain` on it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from conftest import Harness
from many_faults import Planted
from planting import plant

ROWS = {"msra": "litehrnet-18-128x96", "dark": "litehrnet-18-dark-128x96"}

Rating = Literal["right", "right, second", "wrong with confidence", "not known", "not noticed"]


@dataclass(frozen=True)
class Answer:
    """The answers of compare and explain to a fault."""

    fault: str
    noticed: bool
    """Whether compare is red, or warns about a change that moved no metric."""
    compared: str
    explained: str
    rating: Rating


def run_right(
    harness: Harness, data: Path, out: Path, options: Sequence[object], codecs: Sequence[str] = tuple(ROWS)
) -> None:
    """Make the baseline runs of some codecs in a folder."""
    for codec in codecs:
        suite = plant(None, out.parent / f"suite-{codec}", ROWS[codec])
        code, _, err = harness("run", suite, "--data", data, "--out", out, "--offline", *options)
        assert code in (0, 1), err


def answer(
    harness: Harness, data: Path, baseline: Path, folder: Path, name: str, planted: Planted, options: Sequence[object]
) -> Answer:
    """Make a run with a fault, compare it with the baseline, and explain the difference.

    Args:
        harness: The command line.
        data: The data folder; it is not modified.
        baseline: The folder of the baseline's runs.
        folder: An empty folder for this fault.
        name: The name of the fault.
        planted: The fault.
        options: The options of this run and of the baseline's run.
    """
    row = ROWS[planted.codec]
    suite = plant(planted.fault, folder / "suite", row, planted.weights)
    if planted.data:
        shutil.copytree(data, folder / "data")
        data = folder / "data"
        planted.data(data)
    where = ("--data", data, "--out", folder / "runs", *options)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harness.run.plan._people_read", {})
        if planted.patch:
            planted.patch(patched)
        code, _, err = harness("run", suite, *where, "--offline")
    assert code in (0, 1), err

    code, text, _ = harness(
        "compare", folder / "runs", baseline, "demo", "--rows", row, "--data", data, "--resamples", 100
    )
    compared = text.splitlines()[0].partition("val")[2].replace(f"{folder}/", "").strip()
    noticed = code == 1 or "warning: no metric moved although these fields changed" in text
    code, out, err = harness("explain", f"{suite}/{row}", "--baseline", baseline, "--rerun", "--json", *where)
    assert code in (0, 1), err
    found = json.loads(out)
    causes, untold = found["causes"], found["untold"]
    said = [f"{cause['kind']}: {cause['text']} ({cause['certainty']})" for cause in causes]
    first = f"not known: {untold}" if untold else said[0] if said else "nothing differs"
    return Answer(name, noticed, compared, first, _rating(causes, planted.names))


def _rating(causes: Sequence[dict[str, str]], names: Sequence[str]) -> Rating:
    if not causes:
        return "not noticed" if names else "right"
    for place, cause in enumerate(causes[:2]):
        text = f"{cause['kind']}: {cause['text']}"
        if cause["certainty"] != "possible" and any(name in text for name in names):
            return "right" if place == 0 else "right, second"
    return "not known" if causes[0]["certainty"] == "possible" else "wrong with confidence"
