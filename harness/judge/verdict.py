"""Verdicts: judges whether a measured value equals the published one.

A printed 0.749 stands for every value from 0.7485 up to 0.7495, so a measured value reproduces it if it rounds to it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.errors import ObtainError
from harness.record import JudgedClaim, Noise, Record, Status, Verdict
from harness.run_folder import RunSpec
from harness.suites.schema import Claim, Metric, Row

# From good to bad; a row's verdict is that of the worst metric that its table prints.
_ORDER: list[Verdict] = ["reproduced", "within noise", "differs"]


def judge_claim(
    claim: Claim, metric: Metric, measured: float | None, status: Status, noise: float = 0.0
) -> JudgedClaim:
    """Judge one published value.

    Args:
        claim: The published value.
        metric: How the metric is published.
        measured: The measured value, in its measure's unit; None where undefined.
        status: The run's status; only a complete run can reproduce a claim.
        noise: The change of the metric due to rounding alone, in the same unit.
    """
    scale = metric.scale
    value = difference = None
    if measured is not None:
        value = measured * scale
        difference = value - claim.value
    verdict, reason = _claim_verdict(claim, metric, value, status, noise * scale)
    return JudgedClaim(claim=claim, measured=value, difference=difference, verdict=verdict, reason=reason)


def _claim_verdict(
    claim: Claim, metric: Metric, value: float | None, status: Status, noise: float
) -> tuple[Verdict, str | None]:
    if claim.refuted:
        return "contradicted", None
    if status != "complete":
        return status, None
    if value is None:
        return "differs", None
    if _round_half_up(value, metric.decimals) == _round_half_up(claim.value, metric.decimals):
        return "reproduced", None
    distance = abs(value - claim.value) - 1e-9
    if distance <= noise + 0.5 * 10.0**-metric.decimals and noise:
        return "within noise", f"the measured noise floor of this run, {noise:.2g}"
    if metric.tolerance is not None and distance <= metric.tolerance:
        return "within noise", f"a tolerance of {metric.tolerance:g}: {metric.reason}"
    return "differs", None


def _round_half_up(value: float, decimals: int) -> int:
    # Round to the ninth digit first: in binary, a claim such as 0.285 lies slightly below its decimal value.
    return math.floor(round(value * 10.0**decimals, 9) + 0.5)


def judge_claims(
    claims: Iterable[Claim],
    metrics: Mapping[str, Metric],
    measured: Mapping[str, float | None],
    status: Status,
    noises: Sequence[Noise] = (),
) -> list[JudgedClaim]:
    """Judge published values of measured metrics, using the largest known noise floor."""

    def floor(metric: str) -> float:
        return max((noise.floor(metric) for noise in noises), default=0.0)

    return [
        judge_claim(claim, metrics[claim.metric], measured.get(claim.metric), status, floor(claim.metric))
        for claim in claims
        if claim.metric in measured or claim.gates
    ]


def gating(judged: Sequence[JudgedClaim]) -> Sequence[JudgedClaim]:
    """Return the claims that gate; all claims if none does."""
    return [one for one in judged if one.claim.gates] or judged


def overall(judged: Sequence[JudgedClaim], status: Status) -> Verdict:
    """Return the verdict of a run or row: the best verdict of each metric's standing claims, then the worst metric.

    A metric of several subsets counts once for each subset. Without a standing claim the verdict is `measured`.
    """
    if status != "complete":
        return status
    best: dict[tuple[str, str | None], int] = {}
    for j in gating([j for j in judged if not j.claim.refuted]):
        rank, of = _ORDER.index(j.verdict), (j.claim.metric, j.claim.run)
        best[of] = min(rank, best.get(of, rank))
    return _ORDER[max(best.values())] if best else "measured"


def judge_run(
    row: Row,
    run: str,
    metrics: Mapping[str, Metric],
    measured: Mapping[str, float | None],
    status: Status,
    noise: Noise | None = None,
) -> tuple[list[JudgedClaim], Verdict]:
    """Judge one run: by the row's claims if it is the row's only run, else by its own claims."""
    alone = len(row.runs) == 1
    claims = [claim for claim in row.claims if claim.run == run or (alone and claim.run is None)]
    judged = judge_claims(claims, metrics, measured, status, [noise] if noise else [])
    return judged, overall(judged, status)


def judge_again(record: Record, spec: RunSpec) -> Record:
    """Return a run's record with the claims and the verdict that follow from its metrics, its noise and its spec.

    Raises:
        ObtainError: The spec is of another run.
    """
    ids = (spec.suite["name"], spec.row.id, spec.run)
    if ids != (record.suite, record.row, record.run):
        raise ObtainError(f"spec.json of {record.full_id}/{record.run} is of {'/'.join(ids)}", "repeat the run")
    claims, verdict = judge_run(spec.row, spec.run, spec.metrics, record.metrics, record.status, record.noise)
    return record.model_copy(update={"claims": claims, "verdict": verdict})


def judge_row(row: Row, metrics: Mapping[str, Metric], records: Sequence[Record]) -> tuple[list[JudgedClaim], Verdict]:
    """Judge a row by the mean of its runs or, if the runs are subsets, by each of them."""
    if len(records) < len(row.runs):
        return [], "not run"
    statuses: list[Status] = ["failed", "unobtainable", "partial", "own boxes"]
    status: Status = next((s for s in statuses if any(r.status == s for r in records)), "complete")
    if row.runs_are == "subsets":
        judged = [claim for record in records for claim in _of_subset(row, metrics, record, status)]
        return judged, overall(judged, status)
    measured = mean_metrics(records)
    noises = [record.noise for record in records if record.noise]
    judged = judge_claims([claim for claim in row.claims if claim.run is None], metrics, measured, status, noises)
    return judged, overall(judged, status)


def mean_metrics(records: Sequence[Record]) -> dict[str, float | None]:
    """Return the means of metrics over the runs of a row; None for a metric that one of them does not define."""
    names = records[0].metrics if records else {}
    return {name: _mean([record.metrics.get(name) for record in records]) for name in names}


def _of_subset(row: Row, metrics: Mapping[str, Metric], record: Record, status: Status) -> list[JudgedClaim]:
    claims = [claim for claim in row.claims if claim.run == record.run]
    return judge_claims(claims, metrics, record.metrics, status, [record.noise] if record.noise else [])


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(values) if len(defined) == len(values) else None
