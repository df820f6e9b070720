"""Renders the outcome of `harness bench` as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from harness.judge.parity import KEYPOINT_TOLERANCE, METRIC_TOLERANCE
from harness.report.markdown import markdown_table, versions
from harness.speed.outcome import (
    SCORING_TOLERANCE,
    BenchReport,
    Details,
    GpuModel,
    OneRow,
    PeakMemory,
    Shards,
    SideBySide,
    Spread,
    TenRows,
)

PACKAGES = ("torch", "mmpose", "mmcv-lite", "mmcv", "numpy", "opencv-python-headless", "opencv-python", "xtcocotools")


def commit_text(machine: Mapping[str, Any]) -> str:
    """Return the commit of the measured code, and whether the code is changed since; "" if it is not known."""
    return f"commit {machine['commit'][:8]}{', changed' if machine['dirty'] else ''}" if machine["commit"] else ""


def bench_markdown(report: BenchReport) -> str:
    """Return a page with a line for every ratio, and the conditions of the measurement."""
    machine, details = report.machine, report.details
    gpu = f", {machine['gpu']['name']}" if machine["gpu"] else ""
    code = "; ".join(filter(None, (commit_text(machine), versions(machine["packages"], PACKAGES))))
    lines = [
        "# Beside upstream's own code",
        "",
        f"Measured by `harness bench` on {machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads{gpu} "
        f"({code}).",
        "",
        "Both sides did the same work in alternation and gave the same results: crops bit for bit, keypoints "
        f"within {KEYPOINT_TOLERANCE} px, metrics of the same predictions within {SCORING_TOLERANCE:g}, of whole runs "
        f"within {METRIC_TOLERANCE:g}. A ratio is upstream's time over ours within one round; the table shows "
        "its median, minimum and maximum. Rates are those of the median round.",
        "",
        *markdown_table(
            ("what", "ratio", "minimum", "maximum", "rounds", "upstream", "ours"), "lrrrrrr", _comparisons(details)
        ),
    ]
    if details.ten_rows:
        lines += ["", *_ten_rows(details.ten_rows)]
    if details.one_row:
        lines += ["", *_one_row(details.one_row)]
    if details.shards:
        lines += ["", *_shards(details.shards)]
    if details.memory:
        lines += ["", *_memory(details.memory)]
    if details.gpu_model:
        lines += ["", *_gpu_model(details.gpu_model)]
    return "\n".join(lines) + "\n"


def _comparisons(details: Details) -> Iterator[Sequence[str]]:
    if part := details.prepare:
        core = "on one core" if part.pinned else "in one thread"
        many = f"{part.comparison.work / part.images:.0f} boxes per image"
        yield _line(f"boxes to batches of crops, {core}, {many}", part.comparison)
        yield _line("the same, against its data set alone without a loader", part.pipeline)
    for codec, decoding in (details.decode or {}).items():
        yield _line(f"heatmaps to keypoints, {codec}", decoding.comparison)
    if scoring := details.score:
        yield _line(f"{scoring.comparison.work:,} predictions in {scoring.images:,} images scored", scoring.comparison)
        for what, seconds in (("their intervals", scoring.intervals_s), ("their error analysis", scoring.diagnosis_s)):
            yield _ours_alone(what, 1, seconds)
    if ten := details.ten_rows:
        walls = sum(median(row.upstream_wall_s) for row in ten.rows)
        forwards = sum(median(row.upstream_forward_s) for row in ten.rows)
        ours = sum(median(row.ours_forward_s) for row in ten.rows)
        wall, extra = median(ten.ours_wall_s), median(ten.ours_extra_s)
        what = f"{len(ten.rows)} rows, start to end"
        yield _cells(what, ten.ratio, f"{walls:.1f} s", f"{wall:.1f} s")
        rest = wall - ours - extra
        yield _cells(f"{what}, without the network", ten.besides_network, f"{walls - forwards:.1f} s", f"{rest:.1f} s")
        yield _ours_alone("their intervals and error analyses", len(ten.ours_extra_s), extra)


def _line(what: str, comparison: SideBySide) -> Sequence[str]:
    rates = (f"{rate:,.0f} {comparison.unit}/s" for rate in (comparison.upstream_rate, comparison.our_rate))
    return _cells(what, comparison.ratio, *rates)


def _ours_alone(what: str, rounds: int, seconds: float) -> Sequence[str]:
    return f"{what}, which MMPose does not have", "-", "-", "-", f"{rounds}", "-", f"{seconds:.1f} s"


def _cells(what: str, ratio: Spread, upstream: str, ours: str) -> Sequence[str]:
    numbers = (f"{value:.1f}" for value in (ratio.median, ratio.min, ratio.max))
    return what, *numbers, f"{len(ratio.rounds)}", upstream, ours


def _ten_rows(part: TenRows) -> Iterator[str]:
    yield "## Several rows together"
    yield ""
    yield (
        f"{part.people:,} boxes in {part.images} images, seeded checkpoints. Upstream: MMPose's test script, a process "
        f"per row, with its published settings. Ours: one process, precision {part.precision}. Forward is from crops "
        "to heatmaps with the flip test; ours includes the sample that measures the effect of the precision. "
        "Seconds are those of the median round; metric and keypoint are the largest differences. Seeded heatmaps may "
        "have ties, which rounding decides, and seeded networks find few people, so that equal metrics prove little."
    )
    yield ""
    rows = []
    for row in part.rows:
        seconds = (row.upstream_wall_s, row.upstream_forward_s, row.ours_forward_s)
        cells = (f"{median(each):.1f}" for each in seconds)
        rows.append([row.id, *cells, f"{row.metric_max:.2g}", f"{row.keypoint_max_px:.2g}"])
    yield from markdown_table(
        ("row", "upstream", "of it forward", "our forward", "metric", "keypoint px"), "lrrrrr", rows
    )


def _one_row(part: OneRow) -> Iterator[str]:
    yield "## One row against its forward passes"
    yield ""
    yield (
        f"{part.id}, {part.people:,} boxes, precision {part.precision}: {median(part.wall_s):.1f} s start to end, "
        f"{median(part.forward_s):.1f} s for the forward passes of the same batches alone: "
        f"{part.ratio.median:.2f} times ({part.ratio.min:.2f} to {part.ratio.max:.2f} in {len(part.ratio.rounds)} "
        "rounds)."
    )


def _shards(part: Shards) -> Iterator[str]:
    yield "## Work in tasks, and several workers"
    yield ""
    yield (
        f"{part.id}, {part.people:,} boxes in {part.images} images, one thread per worker for the network, with the "
        f"same results to the last bit. Seconds are the medians of {len(part.one_s)} rounds. Efficiency is the "
        "speed-up of the workers over this process, after their start, divided by their number."
    )
    yield ""
    cost = part.overhead_ms
    seconds = (f"{median(part.many_s):.1f}", "one task", f"{median(part.one_s):.1f}")
    follows = f"{cost.median:.1f} ms for each further task"
    rows = [(f"{part.tasks} tasks", *seconds, follows, f"{cost.min:.1f}", f"{cost.max:.1f}", "-")]
    for kind, each in part.workers.items():
        name = "processes" if kind == "processes" else "workers of a local Ray"
        seconds = (f"{median(each.workers_s):.1f}", "this process", f"{median(each.here_s):.1f}")
        gain = each.efficiency
        follows, begun = f"efficiency {gain.median:.2f}", f"{each.startup_s:.1f} s"
        rows.append((f"{each.workers} {name}", *seconds, follows, f"{gain.min:.2f}", f"{gain.max:.2f}", begun))
    heads = ("what", "seconds", "against", "seconds", "result", "minimum", "maximum", "started in")
    yield from markdown_table(heads, "lrlrlrrr", rows)


def _memory(part: PeakMemory) -> Iterator[str]:
    yield "## Peak memory"
    yield ""
    yield "A whole run with a small network: reading, predicting, saving and scoring; each run in a new process."
    yield ""
    runs = zip(part.boxes, part.peak_mb, part.seconds, strict=True)
    rows = ((f"{boxes:,}", f"{peak:.0f}", f"{seconds:.1f}") for boxes, peak, seconds in runs)
    yield from markdown_table(("boxes", "peak MB", "seconds"), "rrr", rows)
    yield ""
    yield f"It grows by {part.growth_mb:.0f} MB."


def _gpu_model(model: GpuModel) -> Iterator[str]:
    yield "## The whole COCO table on a GPU: a model, not a measurement"
    yield ""
    yield (
        f"{model.rows} rows, {model.boxes:,} boxes in {model.images:,} images, {len(model.geometries)} geometries "
        f"({', '.join(model.geometries)}), {model.forward_pflop:.0f} PFLOP of forward passes; {model.device}, "
        f"{model.cores} cores. Crops take {model.crops_min:.1f} minutes, decoding {model.decoding_min:.1f}, scoring "
        f"{model.scoring_min:.1f}, start-up {model.startup_min:.1f}."
    )
    yield ""
    rows = (
        (
            each.precision,
            f"{each.peak_tflops:g}",
            f"{each.efficiency:.0%}",
            f"{each.forward_min:.1f}",
            each.binds,
            f"{each.total_min:.1f}",
        )
        for each in model.estimates
    )
    heads = ("precision", "peak TFLOP/s", "reached", "forward, minutes", "slowest step", "whole table, minutes")
    yield from markdown_table(heads, "lrrrlr", rows)
    yield ""
    yield "Assumptions:"
    yield ""
    yield from (f"- {assumption}" for assumption in model.assumptions)
