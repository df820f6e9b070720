"""Explanations: the settings that turn the measured metrics into the claimed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

from harness.document import Document
from harness.fields import Fields
from harness.judge.verdict import gating, judge_claims, overall
from harness.record import JudgedClaim, Noise, Verdict
from harness.suites.schema import Claim, Metric

CLAIMED_METRIC = "claimed metric"
"""Name of the setting that changes if a claim is read as a claim of another metric."""
LIKELY = 0.1
"""A trial that matches the claims is no cause if its `by_chance` is larger than this fraction.

Measured by `tests/judge/measure_chances.py` on the demo suite. With four or more metrics, the right setting is always
named. If the right setting is not tried, a wrong one is named in 0.05 to 0.1 of the cases with the suite's tolerance,
and in none without a tolerance. With a single metric, the right setting is named in 0.14 to 0.4 of the cases, a wrong
one in 0.03 to 0.07.
"""
NEAR = 0.5
"""A trial is close to the claims if its distance is less than this fraction of the run's distance."""


Distance = Annotated[float, BeforeValidator(lambda value: float("inf") if value is None else value)]
"""In units of the last printed digit; infinite where a metric is undefined, and null in JSON."""


@dataclass(frozen=True)
class TriedSetting:
    """One setting, with its value in the run and the value that was tried."""

    setting: str
    used: str
    tried: str
    usual: bool = False
    """Whether the tried value is MMPose's default, which is the most likely cause."""

    def __str__(self) -> str:
        return f"{self.setting}: {self.used} -> {self.tried}"


class Trial(Fields):
    """The result of some changed settings."""

    model_config = ConfigDict(allow_inf_nan=True)

    changes: tuple[TriedSetting, ...]
    """Empty for the run itself."""
    claims: list[JudgedClaim]
    """All claims of the run that are not known to be wrong, including those that its verdict does not depend on."""
    verdict: Verdict
    """`reproduced` or `within noise` if the trial matches the claims."""
    distances: dict[str, Distance]
    """Distance of each gating metric from its nearest claim."""
    distance: Distance
    """Sum of `distances`."""
    missed: int
    """Number of other metrics, with claims that do not gate, that match none of their claims."""
    by_chance: float | None = None
    """Fraction of drawn claims that a wrong alternative matches as closely (`judge/coincidence.py`); None if this trial
    does not match the claims, or if no setting moves the metrics."""

    @property
    def matches_claims(self) -> bool:
        """Whether the trial matches all gating claims."""
        return self.verdict in ("reproduced", "within noise")

    @property
    def likely_chance(self) -> bool:
        """Whether wrong alternatives often match claims as closely as this trial does."""
        return self.by_chance is not None and self.by_chance > LIKELY


class Skipped(Fields):
    """A setting that could not be tried."""

    change: TriedSetting
    reason: str

    def __str__(self) -> str:
        return f"{self.change}: {self.reason}"


class Explanation(Document):
    """A run, its claims, and the settings that were tried to get from the measured to the claimed metrics."""

    schema_version: int = 3
    """Version 2 added `seen`, `skipped`, and `by_chance` and `missed` of a trial; version 3 `incomplete`."""
    row: str
    """Suite and row."""
    run: str
    incomplete: str | None = None
    """Why the run is not complete, so that its metrics do not compare with values of the whole data set."""
    as_run: Trial
    seen: list[str]
    """Facts that the predictions show about how they were made, independent of the claims (`run/evidence.py`)."""
    trials: list[Trial]
    """Sorted by `rank`: the best explanation first."""
    skipped: list[Skipped]
    not_tried: list[str]
    """Settings that need another prediction with the network, or another device."""

    @property
    def causes(self) -> list[Trial]:
        """The trials that match the claims, without those that probably match by chance."""
        return [trial for trial in self.trials if trial.matches_claims and not trial.likely_chance]

    @property
    def coincidences(self) -> list[Trial]:
        """The trials that match the claims, but probably by chance."""
        return [trial for trial in self.trials if trial.matches_claims and trial.likely_chance]

    @property
    def closest(self) -> list[Trial]:
        """The trials that do not match the claims and have less than half of the run's distance (`NEAR`).

        No gating metric may move away from its claim. A pair of changes must have less than half of the distance of
        each change alone. Trials that read a claim as another metric are left out.
        """
        before = self.as_run.distances
        alone = {trial.changes[0]: trial.distance for trial in self.trials if len(trial.changes) == 1}

        def relevant(trial: Trial) -> bool:
            if trial.matches_claims or trial.distance >= NEAR * self.as_run.distance:
                return False
            if any(change.setting == CLAIMED_METRIC for change in trial.changes):
                return False
            if any(distance > before[metric] + 0.5 for metric, distance in trial.distances.items()):
                return False
            parts = [alone.get(change, float("inf")) for change in trial.changes]
            return len(parts) == 1 or trial.distance < NEAR * min(parts)

        return [trial for trial in self.trials if relevant(trial)]


def make_trial(
    changes: Sequence[TriedSetting],
    claims: Sequence[Claim],
    metrics: Mapping[str, Metric],
    measured: Mapping[str, float | None],
    noise: Noise | None = None,
) -> Trial:
    """Return the trial of changed settings, with its metrics compared with the claims.

    Args:
        changes: The changed settings.
        claims: The claims to explain. If none of them gates, all count as gating.
        metrics: How the suite publishes the metrics.
        measured: Measured value by metric; None if undefined.
        noise: The noise floor of the run; None if it was not measured.
    """
    judged = judge_claims(claims, metrics, measured, "complete", [noise] if noise else [])
    distances: dict[str, float] = {}
    for one in gating(judged):
        metric = one.claim.metric
        distance = one.distance / 10.0 ** -metrics[metric].decimals
        distances[metric] = min(distance, distances.get(metric, distance))
    others = {one.claim.metric for one in judged} - distances.keys()
    return Trial(
        changes=tuple(changes),
        claims=judged,
        verdict=overall(judged, "complete"),
        distances=distances,
        distance=sum(distances.values()),
        missed=sum(all(one.verdict == "differs" for one in judged if one.claim.metric == metric) for metric in others),
    )


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Sort trials from the best explanation to the worst.

    Trials that match the claims come first. Among them, the order is: trials that probably do not match by chance,
    fewer changes, fewer missed claims of other metrics, exact values before values within a tolerance, MMPose's
    defaults, smaller distance. The other trials follow, sorted by distance.
    """

    def place(trial: Trial) -> tuple[float, ...]:
        count = len(trial.changes)
        if not trial.matches_claims:
            return 1, trial.distance, count
        unusual = sum(not change.usual for change in trial.changes)
        return 0, trial.likely_chance, count, trial.missed, trial.verdict != "reproduced", unusual, trial.distance

    return sorted(trials, key=place)
