"""`harness doctor`: describe this machine, and check whether a device computes correctly."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.amounts import aligned
from harness.cli.help import Verb
from harness.cli.options import checkpoints_option, data_option, json_option, path_option
from harness.cli.stopping import terminable
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.doctor.outcome import Examination, Outcome
    from harness.doctor.suites import SuiteState

MINUTES = 10.0
_COLUMNS = ("suite", "annotations", "images", "boxes", "other", "checkpoints", "rows", "can run", "with seeded weights")


@click.command("doctor", cls=Verb)
@click.option("--device", metavar="NAME", help="Check the results of this device: cuda, cuda:1, or cpu to rehearse.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=MINUTES,
    show_default=True,
    metavar="N",
    help="With --device: stop after N minutes; the most important checks come first.",
)
@click.option(
    "--only",
    metavar="PATTERN[,PATTERN]",
    help="With --device: only checks whose group/name matches, e.g. 'network/coco/hrnet*' or 'precision/*'.",
)
@data_option
@checkpoints_option
@path_option("--out", metavar="FILE", help="With --device: write JSON after every check.")
@json_option
def command(
    device: str | None, minutes: float, only: str | None, data: Path, checkpoints: Path, out: Path | None, as_json: bool
) -> int:
    """Describe this machine: packages and their known traps, devices, disk, and the rows of each suite that can run.

    With --device, check that the device computes correctly, on rendered people: each distinct network of the published
    runs, each decoder, the flip test, precisions, out-of-memory errors, interruptions, and MMPose's own loop against
    the shared engine. The last check uses the data sets in --data, if present.
    Exit code 3 if a check failed, or if a package that every network needs is missing.
    """
    if device is None and (out or only):
        raise UsageError("--out and --only need --device", "name the device to check with --device NAME")

    from harness.doctor.machine import describe_machine
    from harness.doctor.suites import suite_states

    machine = describe_machine(data)
    states = list(suite_states(data, checkpoints))
    for line in (*_page(machine), "", *_suite_table(states)):
        click.echo(line, err=as_json)
    fatal = any(fact["fatal"] for facts in machine.values() for fact in facts)
    if device is None or fatal:
        if as_json:
            document = {"schema_version": 1, "machine": machine, "suites": [state.model_dump() for state in states]}
            click.echo(json.dumps(document, indent=2))
        return HarnessError.exit_code if fatal else 0

    from harness.doctor.examine import examine
    from harness.run.device import choose_device

    chosen = choose_device(device)
    click.echo(f"\nchecks on {chosen}, {minutes:g} minutes at most", err=as_json)

    def done(outcome: "Outcome", so_far: "Examination") -> None:
        if outcome.seconds is not None:
            click.echo(_line(outcome), err=as_json)
        if out:
            so_far.save(out)

    with terminable():
        examination = examine(chosen, data, minutes, only, machine, done)
    for line in _summary(examination):
        click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps(examination.model_dump(mode="json"), indent=2))
    return HarnessError.exit_code if examination.count("failed") else 0


def _page(machine: dict[str, Any]) -> list[str]:
    lines = []
    for section, facts in machine.items():
        lines.append(section)
        for fact in facts:
            lines.append(f"{'!' if fact['remark'] else ' '} {fact['subject']:<24} {fact['value']}")
            if fact["remark"]:
                lines.append(f"    {fact['remark']}")
    return lines


def _suite_table(states: list["SuiteState"]) -> list[str]:
    rows = [
        (
            one.name,
            one.annotations,
            one.images,
            one.boxes,
            one.other,
            one.checkpoints,
            str(one.rows),
            str(one.ready),
            str(one.seeded),
        )
        for one in states
    ]
    return aligned([_COLUMNS, *rows])


def _line(outcome: "Outcome") -> str:
    figures = ", ".join(f"{name} {value}" for name, value in outcome.figures.items())
    said = "; ".join(text for text in (outcome.reason, figures) if text)
    seconds = "" if outcome.seconds is None else f"{outcome.seconds:.1f} s"
    return f"{outcome.status:<8} {outcome.group:<10} {outcome.name:<44} {seconds:>8}  {said}".rstrip()


def _summary(examination: "Examination") -> list[str]:
    lines = ["", *(_line(check) for check in examination.checks if check.status == "failed")]
    reasons = Counter((check.group, check.reason) for check in examination.checks if check.status == "not run")
    lines += [
        f"{'not run':<8} {group:<10} {f'{count} checks':<44} {'':>8}  {reason}"
        for (group, reason), count in reasons.items()
    ]
    counts = ", ".join(f"{examination.count(status)} {status}" for status in ("passed", "failed", "not run"))
    return [*lines, f"{counts}, in {examination.seconds:.0f} s with {examination.workers} processes"]
