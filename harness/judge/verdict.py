"""Verdicts: whether a measured value is the published one.

A printed 0.749 stands for every value from 0.7485 up to 0.7495, so a measured value reproduces it if it rounds to it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.record import JudgedClaim, Record, Status, Verdict
from harness.spec.schema import Claim, Metric, Row

# From good to bad; a row is as good as the worst metric that its table prints.
_ORDER: list[Verdict] = ["reproduced", "within noise", "differs"]


def judge_claim(claim: Claim, metric: Metric, measured: float | None, status: Status) -> JudgedClaim:
    """Judge one published value.

    Args:
        claim: The published value.
        metric: How the metric is published.
        measured: The measured fraction; None where undefined.
        status: The run's; only a complete one can reproduce anything.
    """
    value = difference = None
    if measured is not None:
        value = measured * 100 if metric.unit == "percent" else measured
        difference = value - claim.value
    return JudgedClaim(
        claim=claim, measured=value, difference=difference, verdict=_claim_verdict(claim, metric, value, status)
    )


def _claim_verdict(claim: Claim, metric: Metric, value: float | None, status: Status) -> Verdict:
    if claim.refuted:
        return "contradicted"
    if status != "complete":
        return status
    if value is None:
        return "differs"
    if _round_half_up(value, metric.decimals) == _round_half_up(claim.value, metric.decimals):
        return "reproduced"
    if metric.tolerance is not None and abs(value - claim.value) <= metric.tolerance + 1e-9:
        return "within noise"
    return "differs"


def _round_half_up(value: float, decimals: int) -> int:
    # To the ninth digit first: a claim such as 0.285 lies a hair below itself in binary.
    return math.floor(round(value * 10.0**decimals, 9) + 0.5)


def judge_claims(
    claims: Iterable[Claim], metrics: Mapping[str, Metric], measured: Mapping[str, float | None], status: Status
) -> list[JudgedClaim]:
    """Judge published values of metrics that were measured."""
    return [
        judge_claim(claim, metrics[claim.metric], measured.get(claim.metric), status)
        for claim in claims
        if claim.metric in measured or claim.gates
    ]


def overall(judged: Sequence[JudgedClaim], status: Status) -> Verdict:
    """Sum up a run or row: each metric counts by its best-matching standing claim, the row by its worst metric."""
    if status != "complete":
        return status
    standing = [j for j in judged if not j.claim.refuted]
    gating = [j for j in standing if j.claim.gates] or standing
    best: dict[str, int] = {}
    for j in gating:
        rank = _ORDER.index(j.verdict)
        best[j.claim.metric] = min(rank, best.get(j.claim.metric, rank))
    return _ORDER[max(best.values())] if best else "not run"


def judge_run(
    row: Row, run: str, metrics: Mapping[str, Metric], measured: Mapping[str, float | None], status: Status
) -> tuple[list[JudgedClaim], Verdict]:
    """Judge one run: against the row's claims if it is the only one, else against its own."""
    alone = len(row.runs) == 1
    claims = [claim for claim in row.claims if claim.run == run or (alone and claim.run is None)]
    judged = judge_claims(claims, metrics, measured, status)
    return judged, overall(judged, status)


def judge_row(
    row: Row, metrics: Mapping[str, Metric], records: Sequence[Record]
) -> tuple[list[JudgedClaim], Verdict]:  # fmt: skip
    """Judge a row by the mean of its runs."""
    if len(records) < len(row.runs):
        return [], "not run"
    statuses: list[Status] = ["failed", "unobtainable", "partial", "own boxes"]
    status: Status = next((s for s in statuses if any(r.status == s for r in records)), "complete")
    measured = {name: _mean([r.metrics.get(name) for r in records]) for name in records[0].metrics}
    judged = judge_claims([claim for claim in row.claims if claim.run is None], metrics, measured, status)
    return judged, overall(judged, status)


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(values) if len(defined) == len(values) else None
