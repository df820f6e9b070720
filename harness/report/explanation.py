"""Writes the result of `harness explain` for a terminal."""

from collections.abc import Mapping, Sequence

from harness.errors import counted
from harness.judge.explanation import Explanation, Trial
from harness.judge.verdict import gating
from harness.suites.schema import Metric

SHOWN = 8
"""Largest number of trials that are shown if no cause is known."""


def explanation_text(explanation: Explanation, metrics: Mapping[str, Metric], rerun: bool) -> str:
    """Return text with the changes that match the claims or, if none does, the closest ones.

    Args:
        explanation: The changes that were tried.
        metrics: The suite's metrics.
        rerun: Whether predictions were also repeated with changed settings.
    """
    lines = [f"{explanation.row} {explanation.run}", f"  as run   {_values(explanation.as_run, metrics)}"]
    if explanation.incomplete:
        lines += [
            "",
            f"Warning: the run is {explanation.incomplete}. Published values are of complete runs.",
        ]
    if explanation.seen:
        lines += [
            "",
            "Facts about the predictions, independent of the claims:",
            *(f"  - {one}" for one in explanation.seen),
        ]
    causes, coincidences, closest = explanation.causes, explanation.coincidences, explanation.closest
    if explanation.as_run.matches_claims:
        lines += ["", "The run matches the claims: there is nothing to explain."]
    elif causes:
        lines += ["", "Matches the claims, fewest changes first:", *_trials(causes, metrics)]
        if coincidences:
            lines.append(f"     {len(coincidences)} more {_match(len(coincidences))} the claims, perhaps by chance")
    elif coincidences:
        lines += [
            "",
            "No cause is known. The following settings match the claims, but wrong settings often match as closely:",
        ]
        lines += _trials(coincidences[:SHOWN], metrics)
    elif closest:
        lines += ["", "No change matches the claims. The closest changes:", *_trials(closest[:SHOWN], metrics)]
    else:
        lines += ["", "No change matches the claims or halves the distance to them."]
    if not explanation.as_run.matches_claims:
        lines += ["", _tried(explanation)]
    if explanation.skipped:
        lines += ["", "Could not be tried:", *(f"  - {one}" for one in explanation.skipped)]
    if explanation.not_tried:
        lines += ["", f"Not tried{'' if rerun else ' without --rerun'}: {', '.join(explanation.not_tried)}"]
    return "\n".join(lines)


def _match(count: int) -> str:
    return "matches" if count == 1 else "match"


def _tried(explanation: Explanation) -> str:
    """Return text with the number of trials and the number that match the claims."""
    parts = []
    for count, name, names in ((1, "change", "changes"), (2, "pair of changes", "pairs of changes")):
        trials = [trial for trial in explanation.trials if len(trial.changes) == count]
        if trials:
            matching = sum(trial.matches_claims for trial in trials)
            parts.append(f"{counted(len(trials), name, names)}, of which {matching} {_match(matching)} the claims")
    return f"Tried: {'; '.join(parts)}."


def _trials(trials: Sequence[Trial], metrics: Mapping[str, Metric]) -> list[str]:
    lines = []
    for number, trial in enumerate(trials, 1):
        lines.append(f"{number:3}. {'; '.join(map(str, trial.changes))}")
        lines.append(f"     {_values(trial, metrics)}")
        if trial.by_chance is not None:
            share = "less than 1" if trial.by_chance < 0.01 else f"{100 * trial.by_chance:.0f}"
            lines.append(f"     by chance: a wrong setting matches {share} % of random claims as closely")
        if trial.missed:
            lines.append(f"     metrics published elsewhere that do not match: {trial.missed}")
    return lines


def _values(trial: Trial, metrics: Mapping[str, Metric]) -> str:
    cells = []
    for judged in gating(trial.claims):
        decimals = metrics[judged.claim.metric].decimals
        measured = "-" if judged.measured is None else f"{judged.measured:.{decimals + 1}f}"
        cells.append(f"{judged.claim.metric} {measured} (claimed {judged.claim.value:.{decimals}f})")
    return "   ".join(dict.fromkeys(cells))  # a table and a page may claim the same value
