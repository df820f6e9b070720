"""`harness bench`: measure the shared engine beside upstream's own code."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.help import Verb
from harness.cli.options import (
    PARITY,
    check_data_folder,
    data_option,
    device_option,
    json_option,
    path_option,
    precision_option,
    read_earlier,
    report_options,
    write_report,
)
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.speed.outcome import BenchReport, Details

ROUNDS = {"prepare": 7, "decode": 7, "score": 3, "ten-rows": 1, "one-row": 3, "shards": 5}
"""Number of repetitions of each comparison."""
PARTS = (*ROUNDS, "memory")
"""The measurements, in their order."""
GPU = "gpu"
"""The measurement that cannot be combined with others and has an outcome file of its own."""
GPU_MINUTES = 10.0
PREPARED_IMAGES = 24
DECODED_PEOPLE = 1024
SHARDED_IMAGES = 24


def _parts(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    names = value.split(",") if value else PARTS
    if GPU in names:
        if len(names) > 1:
            raise click.BadParameter(f"{GPU!r} cannot be combined with other parts: its outcome has another format")
        return [GPU]
    for name in names:
        if name not in PARTS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join((*PARTS, GPU))}")
    return [name for name in PARTS if name in names]


@click.command("bench", cls=Verb)
@data_option
@click.option(
    "--only",
    "parts",
    callback=_parts,
    metavar="NAME[,NAME]",
    help=f"Measure only these parts: {', '.join(PARTS)}. Other parts in --out are kept. The value gpu, without other "
    "parts, measures a GPU.",
)
@device_option
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help=f"With --only gpu: start no measurement after N minutes; the most important measurements come first.  "
    f"[default: {GPU_MINUTES}]",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Repeat each comparison N times.  [default: {', '.join(f'{n} {name}' for name, n in ROUNDS.items())}]",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Use only the first N images for whole runs and shards.  [default: all, {SHARDED_IMAGES} for shards]",
)
@click.option(
    "--rows",
    metavar="ID[,ID]",
    help="The rows of COCO that are run together; with --only gpu, the rows whose networks are measured.  "
    "[default: ten small rows; all rows]",
)
@click.option("--row", metavar="ID", help="The row that is run alone.  [default: resnet-50-256x192]")
@precision_option
@path_option(
    "--parity",
    metavar="FILE",
    default=PARITY,
    help="File with the FLOPs of each row's network, for the model of a GPU.",
)
@report_options
@json_option
def command(
    parts: list[str],
    device: str | None,
    minutes: float | None,
    out: Path | None,
    markdown: Path | None,
    parity: Path,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Measure the shared engine beside upstream's own code, in alternation on the same work, and compare the results.

    The data folder has COCO's layout; a part of COCO's images is enough. The files are written after every part. From
    the measured parts, a model computes the time of the whole table on a GPU. With --only gpu, a GPU is measured:
    forward passes, decoding, crops, whole runs and MMPose's script; on a CPU this is a rehearsal.
    Exit code 1 if a result differs from upstream's, 3 if something could not be measured.
    """
    check_data_folder(chosen["data"])
    if parts == [GPU]:
        from harness.cli.bench_gpu import measure_gpu

        return measure_gpu(device, chosen["data"], chosen["rows"], minutes or GPU_MINUTES, out, markdown, as_json)
    if device or minutes:
        raise UsageError("--device and --minutes need --only gpu", "leave them out: the other parts choose the device")

    from harness.predict.precision import check_precision
    from harness.run.device import choose_device
    from harness.run.environment import describe_environment
    from harness.speed.outcome import BenchReport, Details
    from harness.speed.page import bench_markdown

    device = choose_device(None)
    check_precision(chosen["precision"], device)
    machine = describe_environment(device) | {"cores": os.cpu_count()}
    details = _kept(out, machine) if out and len(parts) < len(PARTS) else Details()
    report = BenchReport.of(machine, details)
    codes = {0}
    for name, measure in _measurements(parts, chosen):
        click.echo(f"{name} ...", err=True)
        try:
            details = details.model_copy(update=measure())
        except HarnessError as error:
            click.echo(f"{name} FAILED: {error}", err=True)
            codes.add(error.exit_code)
            continue
        report = BenchReport.of(machine, _with_model(details, parity))
        write_report(report, out, markdown, bench_markdown)
    for line in _summary(report):
        click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps(report.model_dump(mode="json"), indent=2))
    return 1 if 1 in codes else max(codes)


def _measurements(parts: list[str], chosen: dict[str, Any]) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield each measurement's name, and the function that measures and returns fields of `Details`."""
    from harness.plugins import plugins
    from harness.speed import decode, gpu_model, memory, prepare, score, shards, whole_runs, workload
    from harness.suites.configs import load_config

    data, images, precision = chosen["data"], chosen["images"], chosen["precision"]
    suite, row = workload.find_row(chosen["row"] or whole_runs.ONE_ROW)
    rounds = {name: chosen["rounds"] or default for name, default in ROUNDS.items()}

    def measure_prepare() -> dict[str, Any]:
        plan = workload.plan_row(row.id, data)
        geometries = gpu_model.read_table().geometries
        return {"prepare": prepare.measure_preparation(plan, PREPARED_IMAGES, rounds["prepare"], geometries)}

    def measure_decode() -> dict[str, Any]:
        codecs = {name: codec for name, codec in plugins("codecs").items() if codec.settings}
        measure = decode.measure_decoding
        return {"decode": {name: measure(codec, DECODED_PEOPLE, rounds["decode"]) for name, codec in codecs.items()}}

    def measure_score() -> dict[str, Any]:
        config = load_config(suite, row, row.runs[workload.RUN])
        return {"score": score.measure_scoring(config, score.ScoredData(), rounds["score"])}

    def measure_ten_rows() -> dict[str, Any]:
        rows = chosen["rows"] or ",".join(whole_runs.TEN_ROWS)
        return {"ten_rows": whole_runs.measure_ten_rows(rows, data, images, precision, rounds["ten-rows"])}

    def measure_one_row() -> dict[str, Any]:
        return {"one_row": whole_runs.measure_one_row(row.id, data, images, precision, rounds["one-row"])}

    def measure_shards() -> dict[str, Any]:
        plan = workload.plan_row(shards.ROW, data, images or SHARDED_IMAGES)
        return {"shards": shards.measure_shards(plan, rounds["shards"])}

    def measure_memory() -> dict[str, Any]:
        return {"memory": memory.measure_memory(data)}

    ways = (
        measure_prepare,
        measure_decode,
        measure_score,
        measure_ten_rows,
        measure_one_row,
        measure_shards,
        measure_memory,
    )
    yield from ((name, way) for name, way in zip(PARTS, ways, strict=True) if name in parts)


def _kept(out: Path, machine: dict[str, Any]) -> "Details":
    """Return the parts of an earlier outcome in the file `out`; empty if there is none."""
    from harness.speed.outcome import BenchReport, Details

    earlier = read_earlier(BenchReport, out)
    if earlier is None:
        return Details()
    if not earlier.same_machine(machine):
        raise UsageError(
            f"{out} was measured on another machine or with other packages", "measure all parts, or name another --out"
        )
    return earlier.details


def _with_model(details: "Details", parity: Path) -> "Details":
    """Compute the model of a GPU anew from the measured parts; None if one of the parts is missing."""
    from harness.predict.crop_stream import processors
    from harness.speed.gpu_model import model_gpu, read_gflop, read_table

    if details.prepare is None or details.decode is None or details.score is None:
        return details.model_copy(update={"gpu_model": None})
    try:
        measured = details.prepare, details.decode, details.score
        model = model_gpu(read_table(), read_gflop(parity), *measured, cores_here=processors())
    except HarnessError as error:
        click.echo(f"no model of a GPU: {error}", err=True)
        model = None
    return details.model_copy(update={"gpu_model": model})


def _summary(report: "BenchReport") -> Iterator[str]:
    for name, ratio in report.ratios.named():
        yield f"{name:<26}{'-' if ratio is None else f'{ratio:.2f}':>8}"
    growth = report.memory_growth_mb
    yield f"{'memory_growth_mb':<26}{'-' if growth is None else f'{growth:.0f}':>8}"
    if part := report.details.shards:
        yield f"{'shard_overhead_ms':<26}{part.overhead_ms.median:>8.1f}"
        for name, workers in part.workers.items():
            yield f"{f'efficiency_{name}':<26}{workers.efficiency.median:>8.2f}"
