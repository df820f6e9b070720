"""Compares the predictions of a run with those of a baseline, and searches for the cause of the difference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import HarnessError, ObtainError, UsageError
from harness.files import read_json
from harness.judge.causes import conclude
from harness.judge.comparison import Change, RecordedRun, condition_changes, environment_differences
from harness.judge.differences import Cause, Differences, Kind, Observed
from harness.judge.observe import EQUAL, observe
from harness.judge.pairing import pair_people
from harness.metrics.family import Metrics
from harness.metrics.match import difference, evaluate
from harness.metrics.select_poses import check_predictions
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import UNSEALED, Record
from harness.run.explanation import alternatives_of
from harness.run_folder import RunFolder

SETTINGS: dict[str, Kind] = {
    "keypoint order": "keypoint order",
    "area for NMS": "crop geometry",
    "box score threshold": "boxes",
    "box scores": "boxes",
    "pixel coordinates": "map back to the image",
    "keypoints in the image": "map back to the image",
    "keypoints in the crop": "map back to the image",
    "keypoints in the heatmap": "decoding",
    "coordinates written": "map back to the image",
    "step between heatmap pixels": "decoding",
    "map back to the image": "map back to the image",
}
"""Kind of cause by the name of a setting that `explain` tries on saved predictions; all others are `scoring`."""


@dataclass(frozen=True)
class Repeated:
    """What predicting a few images again has shown."""

    causes: Sequence[Cause] = ()
    """Settings with which the installed code gives the predictions of the other side."""
    innocent: frozenset[Kind] = frozenset()
    """Kinds of recorded differences that are no cause: with those of the run, the installed code gives the baseline's
    predictions."""


@dataclass(frozen=True)
class Side:
    """A saved run: its record, protocol and predictions."""

    folder: RunFolder
    record: Record
    protocol: Protocol
    predictions: Predictions

    @classmethod
    def load(cls, folder: RunFolder, remedy: str | None = None) -> "Side":
        """Read a run folder.

        Raises:
            ObtainError: A file is missing, or does not belong to the record.
            RunError: A number of the predictions is not finite.
        """
        if not folder.record.is_file():
            raise ObtainError(f"no run in {folder.path}", remedy or "make it with `harness run`")
        record = Record.load(folder.record)
        folder.check_seal(record)
        predictions = Predictions.load(folder.predictions)
        check_predictions(predictions)
        return cls(folder, record, Protocol.load(folder.protocol), predictions)

    @property
    def recorded(self) -> RecordedRun:
        """The run in the form that a comparison needs."""
        environment = {}
        if self.folder.environment.is_file():
            environment = read_json(self.folder.environment, "the environment", "make the run with `harness run`")
        return RecordedRun(self.record, self.protocol, environment if isinstance(environment, dict) else {})


def explain_difference(
    name: str, new: Side, baseline: Side, data: Path, network: Callable[[Observed, bool], Repeated] | None = None
) -> Differences:
    """Search for the cause of the differences between a run and a baseline.

    Args:
        name: The full id of the row.
        new: The run.
        baseline: The same run, made earlier or elsewhere.
        data: The data folder. If its annotations are not those of the run, predictions are not scored again, and a note
            states the reason.
        network: Repeats predictions, with changed settings if weights and images are not known to differ, and returns
            the settings that give the predictions of the other side; None to do without the network.

    Raises:
        UsageError: The two sides differ in the number of keypoints.
    """
    counts = [side.predictions.keypoints.shape[1] for side in (new, baseline)]
    if counts[0] != counts[1]:
        raise UsageError(
            f"{name}: the run has {counts[0]} keypoints and the baseline, {baseline.folder.path}, {counts[1]}",
            "name a baseline of the same row and data set",
        )
    paired = pair_people(new.predictions, baseline.predictions)
    metrics = new.record.metrics, baseline.record.metrics
    observed = observe(new.predictions, baseline.predictions, paired, baseline.protocol, metrics)
    changes = [*condition_changes(new.recorded, baseline.recorded)]
    changes += environment_differences(new.recorded, baseline.recorded)
    if not np.array_equal(np.unique(new.predictions.image_ids), np.unique(baseline.predictions.image_ids)):
        changes = [one for one in changes if one.field != "image_content"]  # its digest is of all evaluated images
    tried: list[Cause] = []
    innocent: frozenset[Kind] = frozenset()
    agree: tuple[bool | None, bool | None] = (None, None)
    sides = ("the run", new), ("the baseline", baseline)
    notes = [f"{words}: {UNSEALED}" for words, side in sides if side.record.unsealed]
    try:
        if observed.metrics:
            measured = evaluate(new.predictions, new.protocol, data), _measured(baseline, data)
            agree = _are_of(measured[0], new), None if measured[1] is None else _are_of(measured[1], baseline)
            tried += list(_scored_otherwise(new, baseline, data, observed, measured))
    except HarnessError as error:
        notes.append(f"predictions were not scored in other ways: {error.args[0]}")
    if network is None:
        notes.append("no prediction was repeated with changed settings; --rerun does that")
    elif observed.boxes:
        notes.append("no prediction was repeated with changed settings: boxes differ, and no setting undoes that")
    elif observed.moved_people:
        files = _other_files(changes)
        try:
            repeated = network(observed, bool(files))
            tried += repeated.causes
            innocent = repeated.innocent
            if innocent:
                notes.append(
                    "other code made the run: the installed code gives the baseline's predictions with the run's "
                    f"{', '.join(sorted(innocent))}"
                )
            elif files:
                notes.append(f"no prediction was repeated with changed settings: {files}, and no setting undoes that")
        except HarnessError as error:
            notes.append(f"no prediction was repeated with changed settings: {error.args[0]}")
    causes, untold = conclude(observed, changes, tried, agree, innocent)
    return Differences(
        row=name,
        run=new.record.run,
        baseline=str(baseline.folder.path),
        observed=observed,
        stated=changes,
        causes=causes,
        untold=untold,
        notes=notes,
    )


def _other_files(changes: Sequence[Change]) -> str | None:
    """Return which recorded files of the network differ, in words; None if none does."""
    fields = {change.field for change in changes}
    for field, words in (("weights.sha256", "weights differ"), ("image_content", "images differ")):
        if field in fields:
            return words
    return None


def _measured(side: Side, data: Path) -> Metrics | None:
    """Return the metrics of a side by the installed code; None if it cannot score the side."""
    try:
        return evaluate(side.predictions, side.protocol, data)
    except HarnessError:
        return None


def _scored_otherwise(
    new: Side, baseline: Side, data: Path, observed: Observed, measured: tuple[Metrics, Metrics | None]
) -> Iterator[Cause]:
    """Yield the ways to score one side's predictions that give all metrics of the other side.

    If the installed code gives the run's recorded metrics, they are ways to score the run's predictions. If it gives
    the baseline's metrics from the run's predictions, other code has scored the run, and they are ways to score the
    baseline's predictions. If no way is found, other code is itself the cause.
    """
    of_new, of_baseline = measured
    if not _are_of(of_new, new):
        ways: list[Cause] = []
        if observed.same_predictions and _are_of(of_new, baseline):
            ways = list(_ways(baseline, new, data, "gives the run's metrics from the baseline's predictions"))
        yield from ways or [_other_code("run", new, of_new)]
        return
    as_baseline = new.protocol.model_copy(update={"scoring": baseline.protocol.scoring})
    if as_baseline.scoring != new.protocol.scoring and _gives(new.predictions, as_baseline, data, baseline):
        was, now = baseline.protocol.scoring.model_dump(), new.protocol.scoring.model_dump()
        fields = [f"{field} was {was.get(field)} and is {now[field]}" for field in now if now[field] != was.get(field)]
        yield Cause.of(
            "scoring",
            f"scoring.{'; scoring.'.join(fields)}",
            "shown",
            "scored like the baseline, the run's predictions give the baseline's metrics",
        )
        return
    ways = list(_ways(new, baseline, data, "gives the baseline's metrics from the run's predictions"))
    yield from ways
    shown = any(cause.certainty == "shown" for cause in ways)
    if of_baseline is not None and not _are_of(of_baseline, baseline) and not shown:
        yield _other_code("baseline", baseline, of_baseline)


def _other_code(words: str, side: Side, measured: Metrics) -> Cause:
    """Return the cause that other code than the installed one, which gives `measured`, has scored a side."""
    name = next(name for name, value in measured.items() if difference(value, side.record.metrics.get(name)) > EQUAL)
    values = f"{name} is {side.record.metrics.get(name)} on record, and {measured[name]} by the installed code"
    return Cause.of("scoring", f"other code has scored the {words}'s predictions", "shown", values)


def _ways(of: Side, to: Side, data: Path, words: str) -> Iterator[Cause]:
    """Yield the ways to score one side that give the other side's metrics.

    If the predictions after such a change still differ from those of the other side, the equal metrics may be chance,
    and the cause is only `possible`.
    """
    for one in alternatives_of(of.protocol):
        try:
            predictions, protocol = one.apply(of.predictions, of.protocol)
            gives = _gives(predictions, protocol, data, to)
        except HarnessError:
            continue
        if gives:
            kind = SETTINGS.get(one.change.setting, "scoring")
            if _same(predictions, to.predictions, of.protocol):
                yield Cause.of(kind, str(one.change), "shown", words)
            else:
                chance = f"it {words}, but the predictions still differ from those of the other side"
                yield Cause.of(kind, str(one.change), "possible", chance)


def _same(predictions: Predictions, others: Predictions, protocol: Protocol) -> bool:
    return observe(predictions, others, pair_people(predictions, others), protocol, ({}, {})).same_predictions


def _gives(predictions: Predictions, protocol: Protocol, data: Path, side: Side) -> bool:
    """Return whether predictions, scored by the installed code, give all recorded metrics of a side."""
    return _are_of(evaluate(predictions, protocol, data), side)


def _are_of(measured: Metrics, side: Side) -> bool:
    """Return whether metrics are all recorded ones of a side."""
    return all(difference(value, side.record.metrics.get(name)) <= EQUAL for name, value in measured.items())
