"""`harness score`: compute metrics from saved predictions of this or another framework, without a network."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from harness.cli.help import Verb
from harness.cli.options import check_data_folder, json_option, path_option
from harness.errors import HarnessError, UsageError


@click.command("score", cls=Verb)
@click.argument("targets", nargs=-1, required=True, metavar="RUN_DIR... | SUITE")
@path_option(
    "--data", metavar="DIR", default=Path("data"), help="An MMPose data/ folder; only its annotations are read."
)
@path_option(
    "--predictions",
    metavar="FILE",
    help="Score these predictions under SUITE: COCO results (.json); for MPII, JHMDB and faces an array "
    "[people, keypoints, 2] in annotation order (.npy, .mat, .h5, .json); for PoseTrack18 the folder with a .json "
    "for each sequence.",
)
@click.option(
    "--run", metavar="NAME", help="The run whose annotations are used, if the suite has several runs, e.g. sub1."
)
@click.option("--array", metavar="NAME", help="Name of the keypoints' array, if several arrays of the file fit.")
@click.option("--one-based", is_flag=True, help="The array counts pixels from 1.")
@click.option(
    "--score-mode",
    type=click.Choice(["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]),
    help="Rescore poses as MMPose does, using a pose's own score as its box score.  [default: bbox, scores unchanged]",
)
@click.option(
    "--nms",
    type=click.Choice(["oks", "soft-oks", "none"]),
    help="Remove duplicate poses as MMPose does.  [default: none]",
)
@json_option
def command(
    targets: tuple[str, ...], data: Path, predictions: Path | None, as_json: bool, one_based: bool, **options: Any
) -> int:
    """Compute metrics from saved predictions.

    RUN_DIR is the folder of one run, or a folder that contains runs: all runs below it are scored, judged and recorded
    again. With --predictions, the predictions of another framework are scored under SUITE; poses and scores are used
    unchanged.
    """
    failed = False
    if predictions is not None:
        _score_foreign(targets, data, predictions, as_json, one_based=one_based, **options)
    else:
        given = [name for name, value in {**options, "one_based": one_based or None}.items() if value is not None]
        if given:
            raise UsageError(f"--{given[0].replace('_', '-')} needs --predictions FILE")
        failed = _score_runs([Path(target) for target in targets], data, as_json)
    return HarnessError.exit_code if failed else 0


def _score_runs(folders: list[Path], data: Path, as_json: bool) -> bool:
    """Score all runs below the folders, and return whether one could not be scored."""
    from harness.run.rescore import rescore
    from harness.run_folder import RunFolder

    found = [RunFolder(path.parent) for folder in folders for path in sorted(folder.rglob("predictions.parquet"))]
    if not found:
        raise UsageError(
            f"no run with predictions found below {', '.join(map(str, folders))}",
            "make one with `harness run`, or score a file under a suite: harness score SUITE --predictions FILE",
        )
    records = []
    for folder in found:
        try:
            record = rescore(folder, data)
        except HarnessError as error:
            click.echo(f"error: {folder.path}: {error}", err=True)
            continue
        records.append(record)
        click.echo(f"{record.full_id} {record.run}   {record.verdict}   [{folder.path}]", err=as_json)
        _show_metrics(record.metrics, as_json)
        _warn(record.warnings)
    if as_json:
        click.echo(json.dumps([record.model_dump(mode="json") for record in records], indent=2))
    return len(records) < len(found)


def _score_foreign(targets: tuple[str, ...], data: Path, predictions: Path, as_json: bool, **options: Any) -> None:
    from harness.metrics.foreign import score_foreign
    from harness.suites.load import load_suite

    if len(targets) != 1:
        raise UsageError(f"--predictions needs exactly one SUITE, not {len(targets)}: {' '.join(targets)}")
    check_data_folder(data)
    suite = load_suite(targets[0])
    score = score_foreign(suite, predictions, data, **options)
    _warn(score.warnings)
    if as_json:
        click.echo(score.model_dump_json(indent=2))
        return
    protocol = score.protocol
    click.echo(f"{score.suite} {score.run}   [{score.predictions}, sha256 {score.sha256[:8]}]")
    _show_metrics(score.metrics, err=False)
    if score.coverage and score.coverage.people_without_pose:
        click.echo(f"{score.coverage}; without them:" if score.coverage.metrics else f"{score.coverage}")
        _show_metrics(score.coverage.metrics or {}, err=False)
    click.echo(
        f"protocol: {protocol.dataset}, {protocol.num_keypoints} keypoints, pixels from {int(protocol.one_based)}"
    )
    click.echo(f"  {'annotations':<25}{protocol.annotations.path}, sha256 {protocol.annotations.sha256[:8]}")
    for name, value in protocol.scoring.model_dump().items():
        click.echo(f"  {name:<25}{_text(value)}")


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _show_metrics(metrics: dict[str, float | None], err: bool) -> None:
    for name, value in metrics.items():
        click.echo(f"  {name:<12} {'undefined' if value is None else f'{value:.10f}'}", err=err)


def _text(value: Any) -> str:
    match value:
        case {"path": path, "sha256": sha256}:
            return f"{path}, sha256 {sha256[:8]}"
        case tuple():
            return " ".join(part if isinstance(part, str) else f"{part:.4g}" for part in value)
        case _:
            return str(value)
