"""The help of each verb has examples that work, and options in groups."""

import click
import pytest
from conftest import Harness
from usage import arguments_of, refused

from harness.cli import VERBS, cli
from harness.cli.help import EXAMPLES, GROUPS, NAMES, option_name


def command_of(verb: str) -> click.Command:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    return command


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_examples_that_the_command_line_takes(verb: str, harness: Harness) -> None:
    _, shown, _ = harness(verb, "--help")
    for example in EXAMPLES[verb]:
        assert f"  {example}\n" in shown
        arguments = arguments_of(example)
        assert arguments is not None
        assert arguments[0] == verb
        assert refused(arguments) is None, example


@pytest.mark.parametrize("verb", VERBS)
def test_each_option_is_in_one_group_and_shown_once(verb: str, harness: Harness) -> None:
    _, shown, _ = harness(verb, "--help")
    groups = shown[min(shown.index(f"\n{group}:\n") for group in GROUPS if f"\n{group}:\n" in shown) :]
    for option in command_of(verb).params:
        if isinstance(option, click.Option):
            name = option_name(option)
            assert sum(name in names for names in GROUPS.values()) == 1, name
            assert groups.count(f"\n  --{name} ") == 1, name
    assert "-h, --help" in shown


def test_rows_of_custom_suites_are_explained_where_rows_are_chosen(harness: Harness) -> None:
    words = " ".join(NAMES.split())
    for verb in ("list", "fetch", "run", "explain", "parity"):
        assert words in " ".join(harness(verb, "--help")[1].split())
    assert words not in " ".join(harness("doctor", "--help")[1].split())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("harness run coco --row x", "No such option"),
        ("harness walk", "no such verb"),
        ("harness run --limit none", "not a valid integer"),
    ],
)
def test_a_wrong_example_is_refused(line: str, why: str) -> None:
    arguments = arguments_of(line)
    assert arguments is not None
    assert why in (refused(arguments) or "")


def test_what_is_a_command_of_harness() -> None:
    assert arguments_of("nox -s tests") is None
    assert arguments_of("HARNESS_CUDA=nographs harness run coco &") == ["run", "coco"]
    assert arguments_of("nox -s reproduce -- coco --status   # what is done") == ["run", "coco", "--status"]
    assert arguments_of("nox -s report -- results runs --data DIR") == ["report", "results", "runs", "--data", "DIR"]
