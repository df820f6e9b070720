"""Arguments and options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from harness.assets.cache import checkpoint_folder
from harness.document import Document
from harness.errors import ObtainError, UsageError
from harness.files import write_text
from harness.protocol import Precision

Command = TypeVar("Command", bound=Callable[..., Any])
Written = TypeVar("Written", bound=Document)

suites_argument = click.argument("suites", nargs=-1, metavar="[SUITE...]")
"""Names of suites, groups or paths of YAML files; each command states what none means."""

rows_option = click.option(
    "--rows",
    "glob",
    metavar="GLOB",
    help="Only rows whose id matches, e.g. 'hrnet-*'; separate several patterns by commas.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")


def path_option(*names: str, metavar: str, help: str, default: Path | None = None) -> Callable[[Command], Command]:
    """Return an option whose value is a path; its help shows the default."""
    shown = default is not None
    return click.option(
        *names, type=click.Path(path_type=Path), default=default, show_default=shown, metavar=metavar, help=help
    )


data_option = path_option("--data", metavar="DIR", default=Path("data"), help="An MMPose data/ folder.")

checkpoints_option = click.option(
    "--checkpoints",
    type=click.Path(path_type=Path),
    default=checkpoint_folder,
    metavar="DIR",
    help="Folder of checkpoints.  [default: checkpoints in the cache]",
)

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images; the run is then partial."
)

device_option = click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:1 ...  [default: the first GPU, else cpu]"
)

executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="local: this machine, one process per device (--device cuda:0,cuda:1). ray: a Ray cluster.",
)

address_option = click.option(
    "--address", metavar="ADDRESS", help="Address of the Ray cluster, e.g. auto.  [default: RAY_ADDRESS, else local]"
)

batch_size_option = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="People per batch.  [default: the config's; 128 on a GPU unless --precision is fp32]",
)


class _Seed(click.ParamType[int]):
    """`random:SEED`: seeded weights instead of checkpoints."""

    name = "random:SEED"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seed."""
        if isinstance(value, int):
            return value
        kind, _, seed = str(value).partition(":")
        if kind != "random" or not seed.isdecimal():
            self.fail(f"{value!r} is not random:SEED with a whole number, such as random:0", param, ctx)
        return int(seed)


weights_option = click.option(
    "--weights",
    "seed",
    type=_Seed(),
    metavar="random:SEED",
    help="Seeded weights instead of checkpoints, to compare engines and measure speed. They give no information "
    "about accuracy.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="fp32",
    show_default=True,
    help="fp32 computes as MMPose does; fp32-fast sums in another order; tf32, bf16 and fp16 have fewer digits (tf32 "
    "only on GPUs that support it). The effect is measured on the first images, and recorded.",
)

compile_option = click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the networks with torch.compile, which takes about a minute for each network.",
)

trust_option = click.option(
    "--trust-checkpoint",
    is_flag=True,
    help="Let checkpoints build any object that they name. This executes code of the checkpoint's author.",
)

PARITY = Path("results/parity.json")
"""The outcome of `harness parity` that comes with the project."""

out_option = path_option("--out", metavar="DIR", default=Path("runs"), help="Folder of the run folders.")


def settings_options(command: Command) -> Command:
    """Add the options for the fields of `run.plan.Settings`, except engine and output folder."""
    options = [data_option, checkpoints_option, weights_option, limit_option, device_option, batch_size_option]
    for option in reversed(options):
        command = option(command)
    return command


def check_data_folder(data: Path) -> None:
    """Check that the data folder exists, before slow work begins.

    Raises:
        UsageError: The folder does not exist.
    """
    if not data.is_dir():
        problem = "is a file" if data.exists() else "does not exist"
        raise UsageError(f"the data folder {data} {problem}", "name an MMPose data/ folder with --data DIR")


def report_options(command: Command) -> Command:
    """Add the options of a command that writes a report to files."""
    out = path_option("--out", metavar="FILE", help="Write the outcome as JSON to this file.")
    markdown = path_option("--markdown", metavar="FILE", help="Write the outcome as a Markdown page to this file.")
    return out(markdown(command))


def write_report(report: Written, out: Path | None, markdown: Path | None, page: Callable[[Written], str]) -> None:
    """Write a report to the named files of `report_options`; `page` returns the report as Markdown."""
    if out:
        report.save(out)
    if markdown:
        write_text(markdown, page(report))


def read_earlier(kind: type[Written], out: Path) -> Written | None:
    """Return the document that an earlier command wrote to --out; None if the file does not exist.

    Raises:
        UsageError: The file has other content, which writing would destroy.
    """
    if not out.exists():
        return None
    try:
        return kind.load(out)
    except ObtainError as error:
        raise UsageError(
            f"{out} does not contain the {kind.title}, and would be overwritten", "name another --out"
        ) from error
