"""How outcomes are shown on a terminal and as an exit code."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.record import Effect, JudgedClaim, Record, Verdict
from harness.suites.load import argument_of
from harness.suites.schema import Row, Suite

COLOURS: dict[Verdict, str] = {
    "reproduced": "green",
    "within noise": "green",
    "differs": "red",
    "contradicted": "yellow",
    "own boxes": "cyan",
    "partial": "cyan",
    "unobtainable": "magenta",
    "failed": "red",
}


@dataclass(frozen=True)
class RowOutcome:
    """A row with its records and what became of its claims."""

    suite: Suite
    row: Row
    records: list[Record]
    claims: list[JudgedClaim]
    verdict: Verdict

    @property
    def id(self) -> str:
        """The row's full id."""
        return self.suite.row_id(self.row)

    @property
    def reasons(self) -> list[str]:
        """Why runs are not complete, each reason once."""
        return list(dict.fromkeys(record.reason for record in self.records if record.reason))

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {
            "id": self.id,
            "verdict": self.verdict,
            "claims": [claim.model_dump(mode="json") for claim in self.claims],
            "runs": [record.model_dump(mode="json") for record in self.records],
        }


def row_width(rows: Iterable[tuple[Suite, Row]]) -> int:
    """Return the width of the widest full id."""
    return max((len(suite.row_id(row)) for suite, row in rows), default=0)


def row_line(outcome: RowOutcome, width: int) -> str:
    """Show a row in one line: id, then metric, claimed -> measured (difference), then the verdict.

    Of many metrics the first two are shown, and those that are off.
    """
    claims = _shown(outcome.claims, list(outcome.suite.metrics))
    chosen = [
        claim for number, claim in enumerate(claims) if number < 2 or claim.verdict in ("within noise", "differs")
    ]
    cells = [_cell(claim, outcome.suite) for claim in chosen]
    if len(chosen) < len(claims):
        cells.append(f"and {len(claims) - len(chosen)} more")
    verdict = click.style(outcome.verdict, fg=COLOURS.get(outcome.verdict))
    return "   ".join([outcome.id.ljust(width), *cells, verdict])


def _shown(claims: list[JudgedClaim], metrics: list[str]) -> list[JudgedClaim]:
    """Return one claim a metric and subset, in the suite's order: of the standing ones that gate, the closest."""
    best: dict[tuple[str, str | None], JudgedClaim] = {}
    for claim in claims:
        if claim.claim.gates and not claim.claim.refuted:
            of = claim.claim.metric, claim.claim.run
            rival = best.get(of)
            if rival is None or _distance(claim) < _distance(rival):
                best[of] = claim
    return sorted(best.values(), key=lambda claim: metrics.index(claim.claim.metric))


def _distance(claim: JudgedClaim) -> float:
    return float("inf") if claim.difference is None else abs(claim.difference)


def _cell(judged: JudgedClaim, suite: Suite) -> str:
    claim, decimals = judged.claim, suite.metrics[judged.claim.metric].decimals
    subset = f" {claim.run}" if claim.run else ""
    claimed = f"{claim.metric}{subset} {claim.value:.{decimals}f} -> "
    if judged.measured is None or judged.difference is None:
        return f"{claimed}{'-':<{2 * decimals + 10}}"
    # One decimal more than published, so that a value on the edge of rounding is seen to be there.
    return f"{claimed}{judged.measured:.{decimals + 1}f} ({judged.difference:+.{decimals + 1}f})"


def summary(outcomes: list[RowOutcome], out: Path) -> Iterator[str]:
    """Sum up the outcomes: counts, contradicted claims, reasons, where the records are."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    yield ""
    yield f"{len(outcomes)} row{'s' if len(outcomes) != 1 else ''}: " + ", ".join(
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
    runnable = [outcome for outcome in outcomes if not outcome.row.cannot_run]
    left = sum(outcome.verdict in ("failed", "unobtainable") for outcome in runnable)
    if left:
        yield f"{left} row{'s are' if left > 1 else ' is'} left to do: the same command tries again"
    missing = list(dict.fromkeys(argument_of(one.suite) for one in runnable if one.verdict == "unobtainable"))
    if missing:
        yield f"`harness fetch {' '.join(missing)} --dry-run` lists all that is missing"
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
    return f"on the first {effect.people} people {moved}; {name} {'-' if change is None else f'{change:+.4f}'}"


def exit_code(outcomes: list[RowOutcome]) -> int:
    """Return 3 if anything failed or could not be obtained, else 1 if a number is off, else 0."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts & {"failed", "unobtainable"}:
        return 3
    return 1 if "differs" in verdicts else 0
