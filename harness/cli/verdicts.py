"""Output of outcomes on a terminal and as an exit code."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from harness.errors import counted
from harness.judge.verdict import mean_metrics
from harness.record import Effect, JudgedClaim, Verdict
from harness.run.row_outcome import RowOutcome
from harness.suites.load import argument_of
from harness.suites.schema import Row, Suite

COLOURS: dict[Verdict, str] = {
    "reproduced": "green",
    "within noise": "green",
    "differs": "red",
    "contradicted": "yellow",
    "measured": "cyan",
    "own boxes": "cyan",
    "partial": "cyan",
    "unobtainable": "magenta",
    "failed": "red",
}


def row_width(rows: Iterable[tuple[Suite, Row]]) -> int:
    """Return the width of the widest full id."""
    return max((len(suite.row_id(row)) for suite, row in rows), default=0)


def row_line(outcome: RowOutcome, width: int) -> str:
    """Show a row in one line: id, then metric, claimed -> measured (difference), then the verdict.

    If there are many metrics, only the first two and those with a difference are shown. Without published values, the
    first two measured values are shown.
    """
    claims = _shown(outcome.claims, list(outcome.suite.metrics))
    chosen = [
        claim for number, claim in enumerate(claims) if number < 2 or claim.verdict in ("within noise", "differs")
    ]
    cells = [_cell(claim, outcome.suite) for claim in chosen]
    if len(chosen) < len(claims):
        cells.append(f"and {len(claims) - len(chosen)} more")
    if not claims and outcome.row.runs_are != "subsets":
        cells = [*_measured(mean_metrics(outcome.records), outcome.suite)][:2]
    verdict = click.style(outcome.verdict, fg=COLOURS.get(outcome.verdict))
    return "   ".join([outcome.id.ljust(width), *cells, verdict])


def _measured(metrics: Mapping[str, float | None], suite: Suite) -> Iterator[str]:
    """Yield the measured values of the suite's metrics, in the suite's order."""
    for name, metric in suite.metrics.items():
        if (value := metrics.get(name)) is not None:
            yield f"{name} {value * metric.scale:.{metric.decimals + 1}f}"


def _shown(claims: list[JudgedClaim], metrics: list[str]) -> list[JudgedClaim]:
    """Return one claim per metric and subset, in the suite's order: the closest of the gating claims not refuted."""
    best: dict[tuple[str, str | None], JudgedClaim] = {}
    for claim in claims:
        if claim.claim.gates and not claim.claim.refuted:
            of = claim.claim.metric, claim.claim.run
            best[of] = min(best.get(of, claim), claim, key=lambda one: one.distance)
    return sorted(best.values(), key=lambda claim: metrics.index(claim.claim.metric))


def _cell(judged: JudgedClaim, suite: Suite) -> str:
    claim, decimals = judged.claim, suite.metrics[judged.claim.metric].decimals
    subset = f" {claim.run}" if claim.run else ""
    claimed = f"{claim.metric}{subset} {claim.value:.{decimals}f} -> "
    if judged.measured is None or judged.difference is None:
        return f"{claimed}{'-':<{2 * decimals + 10}}"
    # One decimal more than published shows values that lie on the edge of rounding.
    return f"{claimed}{judged.measured:.{decimals + 1}f} ({judged.difference:+.{decimals + 1}f})"


def summary(outcomes: list[RowOutcome], out: Path) -> Iterator[str]:
    """Yield the summary of the outcomes: counts, contradicted claims, reasons, folder of the records."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    yield ""
    yield f"{counted(len(outcomes), 'row')}: " + ", ".join(
        f"{count} {verdict}" for verdict, count in counts.most_common()
    )
    for outcome in outcomes:
        for judged in outcome.claims:
            if judged.claim.refuted and judged.claim.gates and judged.claim.source != "history":
                printed = judged.claim.published_as or judged.claim.metric
                value = f"{judged.claim.value:.{outcome.suite.metrics[judged.claim.metric].decimals}f}"
                yield f"contradicted: {outcome.id}: {judged.claim.source} {printed} {value}: {judged.claim.refuted}"
    by_reason: dict[str, list[str]] = {}
    for outcome in outcomes:
        for reason in outcome.reasons:
            by_reason.setdefault(f"{outcome.verdict}: {reason}", []).append(outcome.id)
    for reason, ids in by_reason.items():
        yield f"{reason} [{ids[0] if len(ids) == 1 else f'{len(ids)} rows'}]"
    left = [one for one in outcomes if one.verdict in ("failed", "unobtainable") and not one.row.cannot_run]
    again = [one for one in left if not any(record.other_file for record in one.records)]
    if left:
        advice = "; repeat the command to try again" if again else ""
        yield f"{counted(len(left), 'row is', 'rows are')} not done{advice}"
    missing = list(dict.fromkeys(argument_of(one.suite) for one in again if one.verdict == "unobtainable"))
    if missing:
        yield f"`harness fetch {' '.join(missing)} --dry-run` lists the missing files"
    warned: dict[str, list[str]] = {}
    for outcome in outcomes:
        for warning in dict.fromkeys(warning for record in outcome.records for warning in record.warnings):
            warned.setdefault(warning, []).append(outcome.id)
    for warning, ids in warned.items():
        yield f"warning: {ids[0] if len(ids) == 1 else f'{len(ids)} rows'}: {warning}"
    for outcome in outcomes:
        for record in outcome.records:
            if record.effect:
                yield f"effect of the precision: {outcome.id}: {_effect(record.effect)}"
    yield f"records: {out}"


def _effect(effect: Effect) -> str:
    moved = f"keypoints move by {effect.keypoint_median_px:.2g} px in the median, {effect.keypoint_max_px:.2g} at most"
    name, change = next(iter(effect.metrics.items()))
    first = counted(effect.people, "person", "people")
    return f"on the first {first} {moved}; {name} {'-' if change is None else f'{change:+.4f}'}"


def exit_code(outcomes: list[RowOutcome]) -> int:
    """Return 3 if a row failed or could not be obtained, else 1 if a row differs, else 0."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts & {"failed", "unobtainable"}:
        return 3
    return 1 if "differs" in verdicts else 0
