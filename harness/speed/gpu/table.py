"""Conclusions from the measurements: the time of COCO's whole table, and the targets that are met."""

from collections.abc import Mapping

from harness.protocol import Precision
from harness.speed.gpu.outcome import DecoderRate, GpuReport, NetworkRates, TableTime, Target, UpstreamRun, WholeRun
from harness.speed.gpu_model import PRECISIONS, Table, forward_flop, forward_minutes
from harness.speed.whole_runs import ONE_ROW, TEN_ROWS

TABLE_MINUTES: dict[Precision, float] = {"bf16": 15, "tf32": 40}
WALL_OVER_FORWARD, ONE_ROW_RATIO, TEN_ROWS_RATIO, DECODING_SHARE = 1.15, 10.0, 30.0, 0.03
"""The targets, on an H100 or H200 with 16 cores."""


def with_conclusions(report: GpuReport, table: Table) -> GpuReport:
    """Return a report with the decoders' shares, the times of the table and the targets computed from it."""
    by_row = {row: network for network in report.networks for row in network.rows}
    decoders = tuple(_with_shares(decoder, by_row) for decoder in report.decoders)
    report = report.model_copy(update={"decoders": decoders})
    times = (table_time(report, table, by_row, precision) for precision in ("fp32", "tf32", "bf16", "fp16"))
    report = report.model_copy(update={"table": tuple(time for time in times if time)})
    return report.model_copy(update={"targets": tuple(_targets(report))})


def _with_shares(decoder: DecoderRate, networks: Mapping[str, NetworkRates]) -> DecoderRate:
    shares: dict[Precision, float] = {}
    for row in decoder.rows:
        for rate in networks[row].rates if row in networks else ():
            if rate.as_run:
                share = decoder.device_us * 1e-6 * rate.people_s
                shares[rate.precision] = max(share, shares.get(rate.precision, 0))
    return decoder.model_copy(update={"shares": shares})


def table_time(
    report: GpuReport, table: Table, networks: Mapping[str, NetworkRates], precision: Precision
) -> TableTime | None:
    """Return the minutes of the whole table in a precision; None if a row's forward passes were not measured in it."""
    rates = {
        row.id: rate
        for row in table.rows
        if row.id in networks and (rate := networks[row.id].as_run(precision)) is not None
    }
    if len(rates) < len(table.rows):
        return None
    forward_s = sum(table.boxes / rate.people_s for rate in rates.values())
    decoding_us = {row: decoder.device_us for decoder in report.decoders for row in decoder.rows}
    decoding_s = table.boxes * 1e-6 * sum(decoding_us.get(row.id, 0) for row in table.rows)
    crops_s = table.boxes / report.crops.rates[-1].boxes_s if report.crops else None
    besides_s = _besides_s(report, len(table.rows) * table.boxes)
    total_s = None
    if crops_s is not None and besides_s is not None and all(row.id in decoding_us for row in table.rows):
        total_s = max(forward_s + decoding_s, crops_s) + besides_s
    flop = forward_flop(table, {row: networks[row].gflop for row in rates})
    share = modelled = None
    if report.peaks:
        peak = report.peaks.of(precision)
        share = sum(flop.values()) / forward_s / (peak * 1e12)
        if speed := PRECISIONS.get(precision):
            modelled = forward_minutes(flop, speed._replace(peak=peak))
    return TableTime(
        precision=precision,
        rows=len(rates),
        boxes=table.boxes,
        forward_min=forward_s / 60,
        decoding_min=decoding_s / 60,
        crops_min=_minutes(crops_s),
        besides_min=_minutes(besides_s),
        total_min=_minutes(total_s),
        share=share,
        modelled_forward_min=modelled,
    )


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 60


def _besides_s(report: GpuReport, predictions: int) -> float | None:
    """Return the seconds besides the pass for this many predictions: start-up once, and scoring for each of them.

    They come from a straight line through the first run of one row and the first run of several rows.
    """
    one = next((run for run in report.runs if len(run.rows) == 1), None)
    several = next((run for run in report.runs if len(run.rows) > 1), None)
    if one is None or several is None or several.predictions <= one.predictions:
        return None
    slope = max((several.besides_s - one.besides_s) / (several.predictions - one.predictions), 0)
    return max(one.besides_s + slope * (predictions - one.predictions), 0)


def _targets(report: GpuReport) -> list[Target]:
    total = {time.precision: time.total_min for time in report.table}
    found = [
        _at_most(f"COCO's whole table in {precision}, minutes", total.get(precision), limit)
        for precision, limit in TABLE_MINUTES.items()
    ]
    upstream = {run.row: run for run in report.upstream}
    for precision in ("bf16", "tf32", "fp32"):
        one = _run(report, (ONE_ROW,), precision)
        if one is None and precision != "bf16":
            continue
        wall = f"{ONE_ROW} in {precision}, wall over forward"
        found.append(_at_most(wall, one.ratio if one else None, WALL_OVER_FORWARD))
        what = f"{ONE_ROW} in {precision}, times as fast a box as MMPose's script"
        found.append(_at_least(what, _gain(one, upstream) if one else None, ONE_ROW_RATIO))
    ten = _run(report, TEN_ROWS, "bf16")
    what = "ten small rows at once in bf16, times as fast a box as MMPose's script"
    found.append(_at_least(what, _gain(ten, upstream) if ten else None, TEN_ROWS_RATIO))
    shares = [decoder.shares["bf16"] for decoder in report.decoders if "bf16" in decoder.shares]
    what = "decoding over forward in bf16, the row where it is largest"
    found.append(_at_most(what, max(shares, default=None), DECODING_SHARE))
    return found


def _run(report: GpuReport, rows: tuple[str, ...], precision: Precision) -> WholeRun | None:
    return next((run for run in report.runs if set(run.rows) == set(rows) and run.precision == precision), None)


def _gain(run: WholeRun, upstream: Mapping[str, UpstreamRun]) -> float | None:
    """Return MMPose's seconds per box, without start-up, over ours, with start-up; None unless it ran on all rows."""
    theirs = [upstream[row].box_s for row in run.rows if row in upstream]
    return sum(theirs) / (run.wall_s / run.boxes) if len(theirs) == len(run.rows) else None


def _at_most(what: str, reached: float | None, limit: float) -> Target:
    return Target(
        what=what, wanted=f"at most {limit:g}", reached=reached, met=None if reached is None else reached <= limit
    )


def _at_least(what: str, reached: float | None, limit: float) -> Target:
    return Target(
        what=what, wanted=f"at least {limit:g}", reached=reached, met=None if reached is None else reached >= limit
    )
