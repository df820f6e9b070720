"""`harness score`: metrics from saved predictions, without a network."""

import json
from pathlib import Path

import click

from harness.cli.options import json_option
from harness.errors import UsageError


@click.command("score")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN_DIR...")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True, metavar="DIR",
              help="An MMPose data/ folder; only its annotations are read.")  # fmt: skip
@json_option
def command(folders: tuple[Path, ...], data: Path, as_json: bool) -> int:
    """Recompute every metric of run folders from their saved predictions, and judge and record them anew.

    RUN_DIR is the folder of one run, or any folder above runs: all runs below it are scored.
    """
    from harness.execute.rescore import rescore
    from harness.run_folder import RunFolder

    found = [RunFolder(path.parent) for folder in folders for path in sorted(folder.rglob("predictions.parquet"))]
    if not found:
        raise UsageError(f"no run with predictions below {', '.join(map(str, folders))}", "make one with `harness run`")
    records = [rescore(folder, data) for folder in found]
    for folder, record in zip(found, records, strict=True):
        click.echo(f"{record.full_id} {record.run}   {record.verdict}   [{folder.path}]", err=as_json)
        for name, value in record.metrics.items():
            click.echo(f"  {name:<12} {'undefined' if value is None else f'{value:.10f}'}", err=as_json)
    if as_json:
        click.echo(json.dumps([record.model_dump(mode="json") for record in records], indent=2))
    return 0
