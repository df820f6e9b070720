"""The outcome of `harness explain` for a terminal."""

from collections.abc import Mapping, Sequence

from harness.judge.explanation import Explanation, Trial
from harness.suites.schema import Metric

SHOWN = 8
"""Trials that do not land and are shown all the same."""


def explanation_text(explanation: Explanation, metrics: Mapping[str, Metric], rerun: bool) -> str:
    """Return what lands on the claims or, if nothing does, what comes closest.

    Args:
        explanation: What was tried.
        metrics: The suite's.
        rerun: Whether the network was asked again, too.
    """
    lines = [f"{explanation.row} {explanation.run}", f"  as run   {_values(explanation.as_run, metrics)}"]
    if explanation.seen:
        lines += ["", "Seen in the predictions, whatever is claimed:", *(f"  - {one}" for one in explanation.seen)]
    causes, coincidences, closest = explanation.causes, explanation.coincidences, explanation.closest
    if explanation.as_run.lands:
        lines += ["", "The run lands on the claims: there is nothing to explain."]
    elif causes:
        lines += ["", "Lands on the claims, the fewest changes first:", *_trials(causes, metrics)]
        if coincidences:
            lines.append(f"     and {len(coincidences)} more, which may be coincidences")
    elif coincidences:
        lines += ["", "No cause is known. These land on the claims, as wrong settings often do on claims as near:"]
        lines += _trials(coincidences[:SHOWN], metrics)
    elif closest:
        lines += ["", "Nothing that was tried lands on the claims. The closest:", *_trials(closest[:SHOWN], metrics)]
    else:
        lines += ["", "Nothing that was tried lands on the claims, or leaves less than half of the distance."]
    if not explanation.as_run.lands:
        lines += ["", _tried(explanation)]
    if explanation.skipped:
        lines += ["", "Could not be tried:", *(f"  - {one}" for one in explanation.skipped)]
    if explanation.not_tried:
        lines += ["", f"Not tried{'' if rerun else ' without --rerun'}: {', '.join(explanation.not_tried)}"]
    return "\n".join(lines)


def _tried(explanation: Explanation) -> str:
    """Return how many trials there are, and how many of them land."""
    parts = []
    for count, name in ((1, "changes"), (2, "pairs of changes")):
        trials = [trial for trial in explanation.trials if len(trial.changes) == count]
        if trials:
            parts.append(f"{len(trials)} {name}, of which {sum(trial.lands for trial in trials)} land")
    return f"Tried: {'; '.join(parts)}."


def _trials(trials: Sequence[Trial], metrics: Mapping[str, Metric]) -> list[str]:
    lines = []
    for number, trial in enumerate(trials, 1):
        lines.append(f"{number:3}. {'; '.join(map(str, trial.changes))}")
        lines.append(f"     {_values(trial, metrics)}")
        if trial.by_chance is not None:
            share = "less than 1" if trial.by_chance < 0.01 else f"{100 * trial.by_chance:.0f}"
            lines.append(f"     by chance: wrong settings come as close on {share} % of claims about this far off")
        if trial.missed:
            lines.append(f"     but {trial.missed} metrics that are published elsewhere do not come out")
    return lines


def _values(trial: Trial, metrics: Mapping[str, Metric]) -> str:
    cells = []
    gating = [judged for judged in trial.claims if judged.claim.gates] or trial.claims
    for judged in gating:
        decimals = metrics[judged.claim.metric].decimals
        measured = "-" if judged.measured is None else f"{judged.measured:.{decimals + 1}f}"
        cells.append(f"{judged.claim.metric} {measured} (claimed {judged.claim.value:.{decimals}f})")
    return "   ".join(dict.fromkeys(cells))  # table and page may claim the same
