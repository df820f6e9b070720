"""Explanations: which settings turn the measured numbers into the claimed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

from harness.document import Document
from harness.fields import Fields
from harness.judge.verdict import judge_claims, overall
from harness.record import JudgedClaim, Verdict
from harness.suites.schema import Claim, Metric

CLAIMED_METRIC = "claimed metric"
"""The setting of a claim that is read as another metric."""
LIKELY = 0.1
"""A landing that chance gives on a larger share of claims names no cause.

As `tests/judge/measure_chances.py` measures it on the demo suite: with four metrics or more, the right setting is
always named, and where it is not among those tried a wrong one is in 0.05 to 0.1 of the cases with the suite's
tolerance, in none without; with a single metric the right one is named in 0.14 to 0.4 of the cases, a wrong one in
0.03 to 0.07.
"""
NEAR = 0.5
"""A trial is close to the claims if it leaves less than this share of the run's distance."""


Distance = Annotated[float, BeforeValidator(lambda value: float("inf") if value is None else value)]
"""In units of a last printed digit; infinite, which JSON writes as null, where a metric is undefined."""


@dataclass(frozen=True)
class TriedSetting:
    """One setting, as the run had it and as it was tried."""

    setting: str
    used: str
    tried: str
    usual: bool = False
    """Whether what was tried is MMPose's default, which is likelier to be the cause than anything else."""

    def __str__(self) -> str:
        return f"{self.setting}: {self.used} -> {self.tried}"


class Trial(Fields):
    """What some changed settings lead to."""

    model_config = ConfigDict(allow_inf_nan=True)

    changes: tuple[TriedSetting, ...]
    """None for the run as it is."""
    claims: list[JudgedClaim]
    """All claims of the run that are not known to be wrong, also those on which its verdict does not depend."""
    verdict: Verdict
    """`reproduced` or `within noise` where it lands on the claims."""
    distances: dict[str, Distance]
    """How far each gating metric is from its nearest claim."""
    distance: Distance
    """Their sum."""
    missed: int
    """Metrics whose claims do not gate and that do not come out."""
    by_chance: float | None = None
    """The share of claims on which a wrong alternative lands as exactly (`judge/coincidence.py`); None where this trial
    does not land, or nothing moves the metrics."""

    @property
    def lands(self) -> bool:
        """Whether all gating claims come out."""
        return self.verdict in ("reproduced", "within noise")

    @property
    def likely_chance(self) -> bool:
        """Whether it lands where wrong alternatives often do."""
        return self.by_chance is not None and self.by_chance > LIKELY


class Skipped(Fields):
    """A setting that could not be tried."""

    change: TriedSetting
    reason: str

    def __str__(self) -> str:
        return f"{self.change}: {self.reason}"


class Explanation(Document):
    """A run, its claims, and what was tried to get from the one to the others."""

    schema_version: int = 2
    """2 has `seen`, `skipped` and, of a trial, `by_chance` and `missed`."""
    row: str
    """Suite and row."""
    run: str
    as_run: Trial
    seen: list[str]
    """What the predictions show of how they were made, whatever is claimed (`run/evidence.py`)."""
    trials: list[Trial]
    """The best explanation first, as `rank` orders them."""
    skipped: list[Skipped]
    not_tried: list[str]
    """Settings that need the network again, or another device."""

    @property
    def causes(self) -> list[Trial]:
        """The trials that land, and not where wrong alternatives often do."""
        return [trial for trial in self.trials if trial.lands and not trial.likely_chance]

    @property
    def coincidences(self) -> list[Trial]:
        """The trials that land where wrong alternatives often do."""
        return [trial for trial in self.trials if trial.lands and trial.likely_chance]

    @property
    def closest(self) -> list[Trial]:
        """The trials that do not land and leave less than half of the distance.

        No gating metric may move away from its claim. Of a pair, neither change alone may be about as close. A metric
        that is read as another one counts only where it lands.
        """
        before = self.as_run.distances
        alone = {trial.changes[0]: trial.distance for trial in self.trials if len(trial.changes) == 1}

        def relevant(trial: Trial) -> bool:
            if trial.lands or trial.distance >= NEAR * self.as_run.distance:
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
) -> Trial:
    """Compare what changed settings lead to with the claims.

    Args:
        changes: The changed settings.
        claims: What is to be explained, one or several values. Where none of them gates, all do.
        metrics: How the metrics are published.
        measured: Fractions by metric.
    """
    judged = judge_claims(claims, metrics, measured, "complete")
    gating = [one for one in judged if one.claim.gates] or judged
    distances: dict[str, float] = {}
    for one in gating:
        metric = one.claim.metric
        unit = 10.0 ** -metrics[metric].decimals
        distance = float("inf") if one.difference is None else abs(one.difference) / unit
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
    """Order trials from the best explanation to the worst.

    Of those that land, those where wrong alternatives seldom do come first; then fewer changes, more metrics that come
    out among those printed elsewhere, exact values before values within a tolerance, MMPose's defaults, and the smaller
    distance. The others follow by their distance.
    """

    def place(trial: Trial) -> tuple[float, ...]:
        count = len(trial.changes)
        if not trial.lands:
            return 1, trial.distance, count
        unusual = sum(not change.usual for change in trial.changes)
        return 0, trial.likely_chance, count, trial.missed, trial.verdict != "reproduced", unusual, trial.distance

    return sorted(trials, key=place)
