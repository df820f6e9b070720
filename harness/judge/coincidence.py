"""Measures how often a wrong alternative matches a claim by chance.

With a tolerance and many alternatives, some alternative matches most claims that are close to a run. This module
measures how often. It draws claims in the direction in which one setting moves the metrics, at about the distance
between the run and the real claims, and compares them with all alternatives to *other* settings. Each alternative that
matches is a wrong cause. Directions of settings, unlike random directions, keep the correlation between metrics.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from harness.arrays import Float64
from harness.judge.explanation import CLAIMED_METRIC, Trial
from harness.judge.verdict import gating
from harness.suites.schema import Metric

SIZES = np.linspace(0.25, 2, 8)
"""Distances of the drawn claims from the run, as fractions of the distance of the real claims."""
EXACT = 0.5 + 1e-9
"""Largest distance between a printed value and a value that rounds to it, in units of the last digit."""


def with_chances(as_run: Trial, trials: Sequence[Trial], metrics: Mapping[str, Metric]) -> list[Trial]:
    """Return the trials, with `by_chance` set for those that match the claims.

    `by_chance` is the fraction of drawn claims to which a wrong alternative, with at most as many changes, is as close
    as the trial is to the real claims. Closeness is the largest difference among the metrics, in units of the last
    digit; differences that rounding hides count as equal.
    """
    if as_run.matches_claims or not any(trial.matches_claims for trial in trials):
        return list(trials)
    run = _values(as_run, metrics)
    claims = _claimed(as_run, metrics)
    values = np.array([_values(trial, metrics) for trial in trials])
    tolerances = np.array([(metrics[name].tolerance or 0) * 10 ** metrics[name].decimals for name in _gated(as_run)])
    draws, settings = _draws(run, claims, trials, values, np.maximum(tolerances, EXACT))
    if not len(draws):
        return list(trials)

    counts = np.array([len(trial.changes) for trial in trials])
    best = np.full((counts.max() + 1, len(draws)), np.inf)
    """By number of changes: distance [D] between each drawn claim and the closest alternative to another setting."""
    for trial, value in zip(trials, values, strict=True):
        distance = np.abs(value - draws).max(axis=1)
        distance[np.isin(settings, [change.setting for change in trial.changes])] = np.inf
        row = best[len(trial.changes)]
        np.fmin(row, distance, out=row)
    best = np.minimum.accumulate(best, axis=0)

    def judged(trial: Trial, value: Float64) -> Trial:
        if not trial.matches_claims:
            return trial
        closeness = max(EXACT, float(np.abs(value - claims).max()))
        return trial.model_copy(update={"by_chance": float((best[len(trial.changes)] <= closeness).mean())})

    return [judged(trial, value) for trial, value in zip(trials, values, strict=True)]


def _draws(
    run: Float64, claims: Float64, trials: Sequence[Trial], values: Float64, tolerances: Float64
) -> tuple[Float64, list[str]]:
    """Return drawn claims [D, M] that the run itself does not match, and the setting that each was drawn for."""
    size = np.abs(claims - run).max()
    found, settings = [], []
    for trial, value in zip(trials, values, strict=True):
        (setting, *more) = [change.setting for change in trial.changes]
        effect = value - run
        reach = np.abs(effect).max()
        if more or setting == CLAIMED_METRIC or not np.isfinite(effect).all() or reach <= EXACT:
            continue
        drawn = np.rint(run + np.outer(SIZES * size, effect / reach))
        drawn = drawn[(np.abs(drawn - run) > tolerances).any(axis=1)]
        found.append(drawn)
        settings += [setting] * len(drawn)
    return np.concatenate(found) if found else np.empty((0, len(run))), settings


def _gated(trial: Trial) -> list[str]:
    return list(dict.fromkeys(one.claim.metric for one in gating(trial.claims)))


def _values(trial: Trial, metrics: Mapping[str, Metric]) -> Float64:
    """Return the measured values [M] of the gating metrics in units of their last printed digit; NaN if undefined."""
    measured = {one.claim.metric: one.measured for one in gating(trial.claims)}
    return np.array(
        [np.nan if value is None else value * 10 ** metrics[name].decimals for name, value in measured.items()]
    )


def _claimed(trial: Trial, metrics: Mapping[str, Metric]) -> Float64:
    """Return the claimed values [M] in the same units and order; the first one where a metric has several claims."""
    first = {one.claim.metric: one.claim.value for one in reversed(gating(trial.claims))}
    return np.array([first[name] * 10 ** metrics[name].decimals for name in _gated(trial)])
