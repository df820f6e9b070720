"""The command line: one thin module per verb, which calls the other packages.

A verb's module is imported when the verb is called, so that `harness list` does not import torch. It defines the
click command `command`; results go to standard output, everything else to standard error.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, TextIO

import click

from harness import __version__
from harness.errors import HarnessError
from harness.openmmlab import openmmlab_needed

VERBS = {
    "list": "Show the rows and their published values.",
    "check": "Check the suites against MMPose's own files, or a data folder.",
    "import": "Draft a suite from a metafile in MMPose's form.",
    "fetch": "Download the data sets, box files and checkpoints that runs need.",
    "run": "Evaluate the rows of a suite and compare them with the published values.",
    "explain": "Find the settings that give the published number.",
    "score": "Score saved predictions of this or another framework.",
    "compare": "Show the changes since a baseline; for continuous integration.",
    "boxes": "Measure a detector's box file, or make one with an mmdet detector.",
    "report": "Write HTML pages of all rows and their measured values.",
    "parity": "Compare the shared engine with MMPose's own test loop.",
    "doctor": "Describe this machine, and check the results of a device.",
    "bench": "Compare the speed of the shared engine with MMPose's own code.",
}
_MODULES = {"import": "import_metafile"}
"""Modules of verbs whose name is a Python keyword."""
INTERRUPTED = 130
UNREAD = 141
"""Exit code of a program that SIGPIPE ends; 1 would mean that a number differs."""


class _Verbs(click.Group):
    """The verbs, in the order in which a reader uses them; the group's help imports none of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs."""
        return [*VERBS]  # not list(): that name is the module of the verb `list` once it is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"harness.cli.{_MODULES.get(cmd_name, cmd_name)}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; return the exit code UNREAD if the reader of the output is gone, as behind `| head`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _discard(sys.stdout)
            return UNREAD

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with their short help."""
        with formatter.section("Verbs"):
            formatter.write_dl([*VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Reproduce the published numbers of MMPose's top-down models.

    Exit codes: 0 success, 1 a number differs, 2 wrong usage or invalid suite, 3 something could not be obtained or
    failed.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error that is not a `HarnessError` is a bug and propagates."""
    try:
        with openmmlab_needed():
            return cli.main(arguments, prog_name="harness", standalone_mode=False) or 0
    except HarnessError as error:
        return _failed(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        # Python joins its threads at exit; a second Ctrl-C would end that with a traceback.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return INTERRUPTED
    except OSError as error:
        if error.errno is None:
            raise
        _discard(sys.stdout)
        where = "standard output" if error.filename is None else error.filename
        return _failed(f"{where}: {error.strerror}", HarnessError.exit_code)


def _failed(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # standard error may be full as well
        click.echo(f"error: {message}", err=True)
    return code


def _discard(stream: TextIO) -> None:
    """Redirect a stream's unwritten rest to the null device, so that Python does not fail again at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
