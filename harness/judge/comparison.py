"""Compares runs with a baseline: which metrics moved, and which conditions changed.

The same weights on the same images should give the same metrics. Each movement beyond rounding is therefore red, up as
well as down, because a gain without a cause is as suspicious as a loss. The paired difference estimates whether the
movement would also occur on other images; it is only shown and does not decide the outcome.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from harness.document import Document
from harness.errors import DifferenceError, HarnessError, counted
from harness.fields import Fields
from harness.measures import Measure
from harness.metrics.family import family_of
from harness.protocol import Protocol
from harness.record import UNSEALED, Record

_ROUNDING = 1e-12
"""Tolerance for the rounding of a difference: in binary, 0.8 - 0.7 is more than 0.1."""

_HARMLESS = re.compile(r"compute\.(batch_size|device)|.*\.path|verdict")
"""Fields that may change without a warning. The path of a file may change; its sha256 may not."""

OPTIONAL = ("normalisation", "images", "image_content", "people")
"""Conditions that records of earlier versions do not contain."""

State = Literal["same", "within noise", "moved", "vanished", "appeared", "broken", "not comparable"]


class Paired(Fields):
    """The difference new minus baseline of a metric on the same resamples of images, in the metric's unit."""

    low: float
    high: float
    """The ends of the 95 % interval."""
    p_value: float
    """Two-sided p-value of the hypothesis that there is no difference."""
    resamples: int


class Movement(Fields):
    """One metric in the new run and in the baseline, in the metric's unit."""

    metric: str
    better: Literal["higher", "lower"] = "higher"
    state: Literal["same", "within noise", "moved", "vanished", "appeared"]
    baseline: float | None
    """None where the metric is undefined or was not measured."""
    new: float | None
    difference: float | None
    """New minus baseline; None if one of them is None."""
    noise_floor: float
    """Largest movement that counts as noise."""
    baseline_floor: float
    """The same, from the noise of the baseline alone."""
    noise_source: Literal["measured", "assumed"]
    """`measured`: by `harness run --noise`; `assumed`: the default, where no larger noise was measured."""
    baseline_interval: tuple[float, float] | None
    new_interval: tuple[float, float] | None
    paired: Paired | None = None

    @property
    def red(self) -> bool:
        """Whether this metric makes its run red."""
        return self.state in ("moved", "vanished")


class Change(Fields):
    """A field that differs between the new run and the baseline; its value is None where the field is missing."""

    field: str
    """Such as `flip.enabled` or `packages.torch`."""
    baseline: JsonValue
    new: JsonValue


class EnvironmentChange(Change):
    """A difference between the environments of the new runs and the baseline."""

    runs: tuple[str, ...]
    """Ids of the runs that have this difference."""


class RunComparison(Fields):
    """The comparison of one run with its baseline."""

    id: str
    """Suite, row and run."""
    label: str
    """The model as published."""
    state: State
    red: bool
    reason: str | None = None
    """Why the run is red, or a note on its state."""
    metrics: tuple[Movement, ...] = ()
    changes: tuple[Change, ...] = ()
    """Changes of protocol, weights and verdict."""
    environment_changed: bool = False
    """Whether packages, processor or other parts of the environment differ."""
    warnings: tuple[str, ...] = ()


class Comparison(Document):
    """The comparison of all runs of two folders."""

    red: bool
    """Whether any run is red."""
    runs: tuple[RunComparison, ...]
    environment: tuple[EnvironmentChange, ...]


@dataclass(frozen=True)
class RecordedRun:
    """The recorded results of a run."""

    record: Record
    protocol: Protocol | None = None
    """None if the run is broken."""
    environment: Mapping[str, Any] | None = None
    """Content of environment.json; None if the run is broken."""

    @property
    def broken(self) -> bool:
        """Whether the run has no metrics."""
        return self.record.status in ("failed", "unobtainable")

    @property
    def what_became(self) -> str:
        """The status and, if it has one, the first sentence of its reason; the record has the rest."""
        return f"{self.record.status}: {_first(self.record.reason)}" if self.record.reason else self.record.status


def _first(reason: str) -> str:
    """Return the first sentence of a reason, without its full stop."""
    return re.split(r"[.!?]\s+(?=[A-Z])|\n", reason.strip(), maxsplit=1)[0].rstrip(".")


Pair = Callable[[str], Mapping[str, Paired]]
"""Function from a run's id to the paired difference by metric; raises HarnessError if resampling is impossible."""


def compare(
    new: Mapping[str, RecordedRun],
    baseline: Mapping[str, RecordedRun],
    noise_floor: float | None = None,
    pair: Pair | None = None,
) -> Comparison:
    """Compare runs with a baseline.

    Args:
        new: Runs by id.
        baseline: Runs by id.
        noise_floor: Largest movement that counts as noise, in the metric's unit, where no larger noise was measured;
            None for each metric's default (`Measure.noise`).
        pair: Called for each run with a metric that is not the same.
    """
    ids = [*baseline, *(run for run in new if run not in baseline)]
    environment = tuple(_environment_changes(new, baseline))
    elsewhere = {run for change in environment for run in change.runs}
    compared = (_compare_run(run, new.get(run), baseline.get(run), noise_floor, pair) for run in ids)
    runs = tuple(run.model_copy(update={"environment_changed": run.id in elsewhere}) for run in compared)
    return Comparison(red=any(run.red for run in runs), runs=runs, environment=environment)


def _compare_run(
    run: str, new: RecordedRun | None, baseline: RecordedRun | None, noise_floor: float | None, pair: Pair | None
) -> RunComparison:
    label = next(side.record.label for side in (new, baseline) if side)

    def outcome(state: State, red: bool, reason: str | None, **details: Any) -> RunComparison:
        return RunComparison(id=run, label=label, state=state, red=red, reason=reason, **details)

    if new is None:
        return outcome("vanished", True, "the run is in the baseline, but not in the new runs")
    if new.broken:
        as_before = baseline is not None and baseline.broken
        return outcome("broken", not as_before, f"{new.what_became}{' (as in the baseline)' if as_before else ''}")
    if baseline is None:
        return outcome("appeared", False, "the run is not in the baseline")
    if baseline.broken:
        return outcome("appeared", False, f"in the baseline it is {baseline.what_became}")
    changes = condition_changes(new, baseline)
    if reason := _incomparable(new, baseline):
        return outcome("not comparable", True, reason, changes=changes)

    movements = _movements(new, baseline, noise_floor)
    sides = ("new run", new), ("baseline", baseline)
    warnings = [f"{side}: {UNSEALED}" for side, one in sides if one.record.unsealed]
    warnings += _warnings(movements, changes)
    if pair and any(movement.state != "same" for movement in movements):
        try:
            paired = pair(run)
            movements = tuple(m.model_copy(update={"paired": paired.get(m.metric)}) for m in movements)
        except DifferenceError as error:
            reason = f"{error.args[0]}; {error.hint}" if error.hint else str(error)
            return outcome("not comparable", True, reason, changes=changes)
        except HarnessError as error:
            warnings.append(f"no paired difference: {error}")
    red = [movement for movement in movements if movement.red]
    states = {movement.state for movement in movements}
    state: State = "moved" if red else "within noise" if "within noise" in states else "same"
    return outcome(
        state, bool(red), _reason(red) if red else None, metrics=movements, changes=changes, warnings=tuple(warnings)
    )


def _incomparable(new: RecordedRun, baseline: RecordedRun) -> str | None:
    """Return why the metrics of two runs cannot be compared; None if they can."""
    if new.record.status != baseline.record.status:
        return f"{new.what_became}; in the baseline {baseline.what_became}"
    for what, sha256 in _ground_truth(new).items():
        other = _ground_truth(baseline).get(what)
        if other != sha256:
            return f"different {what}: sha256 {sha256[:8]}, in the baseline {other[:8] if other else 'none'}"
    if new.record.status == "partial" and new.record.images != baseline.record.images:
        evaluated = counted(new.record.images or 0, "image was", "images were")
        return f"{evaluated} evaluated, in the baseline {baseline.record.images}"
    return None


def _ground_truth(outcome: RecordedRun) -> dict[str, str]:
    assert outcome.protocol is not None, "only broken runs have none"
    scoring = outcome.protocol.scoring
    files = family_of(scoring).files
    return {
        "annotations": " ".join(file.sha256 for file in outcome.protocol.annotation_files),
        **{files.get(name, name).removeprefix("the "): file.sha256 for name, file in scoring.files.items()},
    }


def _movements(new: RecordedRun, baseline: RecordedRun, noise_floor: float | None) -> tuple[Movement, ...]:
    assert new.protocol is not None, "only broken runs have none"
    family = family_of(new.protocol.scoring)
    names = [*baseline.record.metrics, *(name for name in new.record.metrics if name not in baseline.record.metrics)]
    return tuple(
        _movement(name, family.measure(name) or Measure(), new.record, baseline.record, noise_floor) for name in names
    )


def _movement(metric: str, measure: Measure, new: Record, baseline: Record, noise_floor: float | None) -> Movement:
    now, before = new.metrics.get(metric), baseline.metrics.get(metric)
    assumed = measure.noise if noise_floor is None else noise_floor
    floor = max(_measured_noise(new, metric), _measured_noise(baseline, metric), assumed)
    difference = None if now is None or before is None else now - before
    state: Literal["same", "within noise", "moved", "vanished", "appeared"]
    if metric not in new.metrics:
        state = "vanished"
    elif metric not in baseline.metrics:
        state = "appeared"
    elif now == before:
        state = "same"
    elif difference is not None and abs(difference) <= floor + _ROUNDING:
        state = "within noise"
    else:
        state = "moved"
    return Movement(
        metric=metric,
        better=measure.better,
        state=state,
        baseline=before,
        new=now,
        difference=difference,
        noise_floor=floor,
        baseline_floor=max(_measured_noise(baseline, metric), assumed),
        noise_source="measured" if floor > assumed else "assumed",
        baseline_interval=baseline.intervals.get(metric),
        new_interval=new.intervals.get(metric),
    )


def _measured_noise(record: Record, metric: str) -> float:
    return record.noise.floor(metric) if record.noise else 0.0


def _reason(red: list[Movement]) -> str:
    first = red[0]
    if first.state == "vanished":
        happened = "is not measured any more"
    elif first.difference is None:
        happened = f"is undefined {'in the baseline only' if first.baseline is None else 'now'}"
    else:
        direction = "fell" if first.difference < 0 else "rose"
        sense = f" ({'worse' if direction == 'rose' else 'better'})" if first.better == "lower" else ""
        happened = f"{direction} by {abs(first.difference):.3g}{sense}, noise floor {first.noise_floor:.3g}"
    more = f"; {counted(len(red) - 1, 'more metric')} moved" if len(red) > 1 else ""
    return f"{first.metric} {happened}{more}"


def _warnings(movements: tuple[Movement, ...], changes: tuple[Change, ...]) -> Iterator[str]:
    suspects = [change.field for change in changes if not _HARMLESS.fullmatch(change.field)]
    if suspects and not any(movement.red for movement in movements):
        yield f"no metric moved although these fields changed: {', '.join(suspects)}"
    for movement in movements:
        # A change that makes the network noisy also raises the new noise floor, which would then hide the movement.
        if movement.state == "within noise" and abs(movement.difference or 0) > movement.baseline_floor + _ROUNDING:
            yield (
                f"{movement.metric} moved by less than the noise floor of the new run, {movement.noise_floor:.3g}, "
                f"but by more than that of the baseline, {movement.baseline_floor:.3g}"
            )


def condition_changes(new: RecordedRun, baseline: RecordedRun) -> tuple[Change, ...]:
    """Return the differences of protocol, weights, people and verdict, without fields that one side does not record."""
    sides = [_conditions(new), _conditions(baseline)]
    untold = [field for field in OPTIONAL if any(side[field] is None for side in sides)]
    if not all(side.protocol and "overrides" in side.protocol.model_fields_set for side in (new, baseline)):
        untold.append("overrides")  # None is a value: the row changes nothing
    now, before = ({name: value for name, value in side.items() if name not in untold} for side in sides)
    return tuple(field_changes(now, before))


def _conditions(outcome: RecordedRun) -> dict[str, JsonValue]:
    assert outcome.protocol is not None, "only broken runs have none"
    weights = outcome.record.weights
    return {
        **outcome.protocol.model_dump(mode="json"),
        "weights": weights.model_dump(mode="json", include={"kind", "sha256", "seed"}) if weights else None,
        "images": outcome.record.images,
        "image_content": outcome.record.image_content,
        "people": outcome.record.people,
        "verdict": outcome.record.verdict,
    }


def environment_differences(new: RecordedRun, baseline: RecordedRun) -> tuple[Change, ...]:
    """Return the differences of packages, processor and other parts of the environments of two runs."""
    if new.environment is None or baseline.environment is None:
        return ()
    changes = tuple(field_changes({**new.environment, "made": None}, {**baseline.environment, "made": None}))
    absent = {change.field for change in changes if None in (change.baseline, change.new)}
    if {"xtcocotools", "packages.xtcocotools"} & absent:
        # Without the package, its stand-in is used; records of early versions do not state what was used.
        changes = tuple(change for change in changes if change.field != "xtcocotools")
    return changes


def _environment_changes(
    new: Mapping[str, RecordedRun], baseline: Mapping[str, RecordedRun]
) -> Iterator[EnvironmentChange]:
    runs: dict[str, tuple[Change, list[str]]] = {}
    for run in new.keys() & baseline.keys():
        for change in environment_differences(new[run], baseline[run]):
            runs.setdefault(change.model_dump_json(), (change, []))[1].append(run)
    for change, where in sorted(runs.values(), key=lambda found: found[0].field):
        yield EnvironmentChange(**change.model_dump(), runs=tuple(sorted(where)))


def field_changes(new: Mapping[str, Any], baseline: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the fields that differ; those of nested mappings have names that are joined by dots."""
    now, before = dict(_flat(new)), dict(_flat(baseline))
    for field in [*before, *(field for field in now if field not in before)]:
        if now.get(field) != before.get(field):
            yield Change(field=field, baseline=before.get(field), new=now.get(field))


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield the fields of nested mappings, their names joined by dots."""
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item
