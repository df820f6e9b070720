"""A change of the predicting code needs a decision: does it move a prediction or not?"""

import json
from pathlib import Path

import pytest
from predicting_code import HARNESS, PINNED, code_digest, digests, predicting_files

from harness.predict.revision import REVISION

DECIDE = (
    "The predicting code has changed: {changed}. If the change moves a prediction, increase REVISION in "
    "harness/predict/revision.py. Then, or if it moves none, run `python tests/predict/predicting_code.py`."
)
MODULE = '''"""Doubles."""

def double(value: int) -> int:
    """Return twice a value."""
    if value < 0:
        raise ValueError(f"{value} is negative")
    return 2 * value  # not 3
'''


def test_a_change_of_the_predicting_code_is_decided_on() -> None:
    pinned, now = json.loads(PINNED.read_text(encoding="utf-8")), digests()
    changed = sorted(name for name in pinned["modules"] | now if pinned["modules"].get(name) != now.get(name))
    assert not changed, DECIDE.format(changed=", ".join(changed))
    assert pinned["revision"] == REVISION, DECIDE.format(changed="REVISION")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Doubles.", "Doubles a number."),
        ("Return twice a value.", "Return the double."),
        ("# not 3", "# as is right"),
        ("{value} is negative", "a negative value: {value}"),
        ("value: int", "value: float"),
        ("\n    return 2", "\n\n    return 2"),
    ],
)
def test_words_are_not_code(old: str, new: str) -> None:
    assert old in MODULE
    assert code_digest(MODULE.replace(old, new)) == code_digest(MODULE)


@pytest.mark.parametrize(("old", "new"), [("2 * value", "3 * value"), ("< 0", "<= 0"), ("ValueError", "TypeError")])
def test_code_is(old: str, new: str) -> None:
    assert old in MODULE
    assert code_digest(MODULE.replace(old, new)) != code_digest(MODULE)


def test_strings_that_decide_are_code() -> None:
    assert code_digest("kind = 'dark'") != code_digest("kind = 'udp'")


def test_each_named_file_is_there_and_what_inspects_is_left_out() -> None:
    names = {path.relative_to(HARNESS).as_posix() for path in predicting_files()}
    assert all(Path(HARNESS, name).is_file() for name in names)
    assert {"predict/warp.py", "codecs/dark.py", "datasets/people/mpii.py", "run/worker.py"} <= names
    assert not {"datasets/inspection.py", "datasets/inspect/boxes.py"} & names
