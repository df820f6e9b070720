"""Commands as text: whether the command line takes them."""

import re
import shlex
from unittest.mock import patch

import click

from harness.cli import cli

_PROGRAM = re.compile(
    r"^(?:\w+=\S+ )*(?:(?:python[\d.]* -m )?harness|nox -s reproduce --(?! --)|nox -s report --) (.*)$"
)


def arguments_of(line: str) -> list[str] | None:
    """Return the arguments of `harness` in a line of a shell; None for a line that calls another program."""
    line = line.removeprefix("$ ")
    found = _PROGRAM.match(line)
    if found is None:
        return None
    verb = {"nox -s reproduce": ["run"], "nox -s report": ["report"]}.get(line[: line.find(" --")], [])
    words = shlex.split(found[1], comments=True)
    end = next((number for number, word in enumerate(words) if word in ("&", "|", ">")), len(words))
    return [*verb, *words[:end]]


def refused(arguments: list[str]) -> str | None:
    """Return why the command line refuses arguments; None where it takes them. Nothing is run."""
    verb, *others = arguments
    # A command keeps the help option of the first context that it is given, so this one has the names of the real one.
    context = click.Context(cli, **cli.context_settings)
    command = cli.get_command(context, verb)
    if command is None:
        return f"no such verb: {verb}"
    try:
        with patch.object(click.File, "convert", lambda _file, value, *_: value):  # which would make the file
            command.make_context(verb, others, parent=context)
    except click.exceptions.Exit:  # of --help
        return None
    except click.ClickException as error:
        return error.format_message()
    return None
