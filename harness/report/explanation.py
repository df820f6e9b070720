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
    causes = explanation.causes
    if explanation.as_run.lands:
        lines += ["", "The run lands on the claims: there is nothing to explain."]
    elif causes:
        lines += ["", "Lands on the claims, the fewest changes first:"]
        lines += _trials(causes, metrics)
    elif closer := [trial for trial in explanation.trials if trial.distance < explanation.as_run.distance]:
        lines += ["", "Nothing that was tried lands on the claims. The closest:"]
        lines += _trials(closer[:SHOWN], metrics)
    else:
        lines += ["", "Nothing that was tried lands on the claims, or comes any closer to them."]
    if explanation.not_tried:
        lines += ["", f"Not tried{'' if rerun else ' without --rerun'}: {', '.join(explanation.not_tried)}"]
    return "\n".join(lines)


def _trials(trials: Sequence[Trial], metrics: Mapping[str, Metric]) -> list[str]:
    lines = []
    for number, trial in enumerate(trials, 1):
        lines.append(f"{number:3}. {'; '.join(map(str, trial.changes))}")
        lines.append(f"     {_values(trial, metrics)}")
    return lines


def _values(trial: Trial, metrics: Mapping[str, Metric]) -> str:
    cells = []
    for judged in trial.claims:
        decimals = metrics[judged.claim.metric].decimals
        measured = "-" if judged.measured is None else f"{judged.measured:.{decimals + 1}f}"
        cells.append(f"{judged.claim.metric} {measured} (claimed {judged.claim.value:.{decimals}f})")
    return "   ".join(cells)
