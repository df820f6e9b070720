"""Explanations: which settings turn the measured numbers into the claimed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict

from harness.document import Document
from harness.fields import Fields
from harness.judge.verdict import judge_claims, overall
from harness.record import JudgedClaim, Verdict
from harness.suites.schema import Claim, Metric


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
    verdict: Verdict
    """`reproduced` or `within noise` where it lands on the claims."""
    distance: float
    """How far it is from the claims in all, in units of their last printed digit; infinite where one is undefined."""

    @property
    def lands(self) -> bool:
        """Whether all that is claimed comes out."""
        return self.verdict in ("reproduced", "within noise")


class Explanation(Document):
    """A run, its claims, and what was tried to get from the one to the others."""

    row: str
    """Suite and row."""
    run: str
    as_run: Trial
    trials: list[Trial]
    """The best explanation first: those that land, by how little they change, then the others by their distance."""
    not_tried: list[str]
    """Settings that need the network again, or another device."""

    @property
    def causes(self) -> list[Trial]:
        """The trials that land."""
        return [trial for trial in self.trials if trial.lands]


def make_trial(
    changes: Sequence[TriedSetting],
    claims: Sequence[Claim],
    metrics: Mapping[str, Metric],
    measured: Mapping[str, float | None],
) -> Trial:
    """Compare what changed settings lead to with the claims.

    Args:
        changes: The changed settings.
        claims: What is to be explained, one or several values.
        metrics: How the metrics are published.
        measured: Fractions by metric.
    """
    judged = judge_claims(claims, metrics, measured, "complete")
    nearest: dict[str, float] = {}
    for found in judged:
        unit = 10.0 ** -metrics[found.claim.metric].decimals
        distance = float("inf") if found.difference is None else abs(found.difference) / unit
        nearest[found.claim.metric] = min(distance, nearest.get(found.claim.metric, distance))
    return Trial(
        changes=tuple(changes), claims=judged, verdict=overall(judged, "complete"), distance=sum(nearest.values())
    )


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Order trials from the best explanation to the worst.

    Of those that land, fewer changes come first, then those back to MMPose's defaults, then the smaller distance.
    """

    def place(trial: Trial) -> tuple[float, ...]:
        if trial.lands:
            return 0, len(trial.changes), sum(not change.usual for change in trial.changes), trial.distance
        return 1, trial.distance, len(trial.changes)

    return sorted(trials, key=place)
