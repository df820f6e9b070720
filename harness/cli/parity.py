"""`harness parity`: the shared engine against MMPose's own test loop."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import check_data_folder, json_option, rows_option, settings_options
from harness.files import write_json

if TYPE_CHECKING:
    from harness.execute.parity import Parity

HEADINGS = ("people", "compared", "ties", "keypoint px", "tie px", "score", "metric")


@click.command("parity")
@click.argument("suites", nargs=-1, required=True, metavar="SUITE...")
@rows_option
@settings_options
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the outcome as JSON to a file.")
@json_option
def command(suites: tuple[str, ...], glob: str | None, out: Path | None, as_json: bool, **chosen: Any) -> int:
    """Run both engines on the same people with the same weights, and show how far apart their numbers are.

    Exit code 1 if a keypoint away from ties is off by more than 0.01 px, a score by 1e-5 or a metric by 1e-6.
    """
    from harness.spec.load import select

    work = [(suite, row) for suite, rows in select(suites, glob) for row in rows]
    check_data_folder(chosen["data"])

    from harness.execute.device import choose_device
    from harness.execute.parity import Parity, compare_engines
    from harness.execute.plan import Settings

    found: list[Parity] = []
    width = max(len(f"{suite.row_id(row)}/{run}") for suite, row in work for run in row.runs)
    click.echo("  ".join(["run".ljust(width), *(heading.rjust(11) for heading in HEADINGS)]), err=as_json)
    with tempfile.TemporaryDirectory() as scratch:
        place = {"out": Path(scratch), "engine": "shared", "device": choose_device(chosen["device"])}
        settings = Settings(**chosen | place)
        for suite, row in work:
            for run in row.runs:
                found.append(compare_engines(suite, row, run, settings, Path(scratch) / "log.txt"))
                click.echo(_line(found[-1], width), err=as_json)
    unequal = [parity.id for parity in found if not parity.equal]
    click.echo(f"\n{len(found) - len(unequal)} of {len(found)} runs are equal", err=as_json)
    document = {"schema_version": 1, "runs": [parity.model_dump() for parity in found]}
    if out:
        write_json(out, document)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    return 1 if unequal else 0


def _line(parity: "Parity", width: int) -> str:
    counts = (parity.people, parity.keypoints_compared, parity.ties)
    differences = (parity.keypoint_max_px, parity.tie_max_px, parity.score_max, parity.metric_max)
    cells = [
        *(f"{count:>11}" for count in counts),
        *(f"{'-' if difference is None else f'{difference:.3g}':>11}" for difference in differences),
    ]
    return "  ".join([parity.id.ljust(width), *cells, "equal" if parity.equal else "DIFFERS"])
