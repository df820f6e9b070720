"""Explains a gap: scores a run's predictions in other ways and, if requested, predicts again with the same network."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from harness.datasets.lookup import dataset_class
from harness.errors import DifferenceError, HarnessError
from harness.judge.alternatives import Alternative, Metrics, misreadings, scoring_alternatives
from harness.judge.coincidence import with_chances
from harness.judge.explanation import Explanation, Skipped, Trial, TriedSetting, make_trial, rank
from harness.metrics.match import evaluate
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.run.device import has_tf32
from harness.run.evidence import evidence
from harness.run.plan import Plan, Settings, make_plan
from harness.run.progress import RunProgress
from harness.run.reruns import reruns
from harness.run_folder import RunFolder
from harness.suites.configs import configs_folder
from harness.suites.metainfo import metainfo_of_file
from harness.suites.schema import Claim, Row, Suite

PAIRED = 5
"""If no single change matches the claims, this many of the closest trials are combined with each other way to score."""
NEEDS_NETWORK = [
    "boxes",
    "flip test",
    "shift of the mirrored heatmaps",
    "mirror pairs",
    "decoder",
    "padding",
    "affine",
    "place of crops",
    "resampling",
    "colours",
    "mean and std",
    "precision of inputs and heatmaps",
    "convolutions in TF32",
]
NEEDS_TF32 = ["convolutions in TF32 (on a GPU that has it)"]


@dataclass(frozen=True)
class _Tried:
    """Scored predictions, with the changed settings that gave them."""

    changes: tuple[TriedSetting, ...]
    predictions: Predictions
    protocol: Protocol
    measured: Metrics


def explain(
    suite: Suite, row: Row, run: str, settings: Settings, claims: Sequence[Claim], rerun: bool, progress: RunProgress
) -> Explanation:
    """Search for settings that turn the metrics of a run into the claimed ones.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of its finished runs.
        settings: The settings of that run that are not in its protocol.
        claims: The claims to explain.
        rerun: Whether to predict again with the network.
        progress: Receives reports of progress.

    Raises:
        ObtainError: The run does not exist, or a file that it needs is missing.
        DifferenceError: A rerun would use other options, weights or data than the run.
    """
    folder = RunFolder.of(settings.out, suite, row, run)
    record = folder.saved_record()
    if record:
        folder.check_seal(record)
    protocol, predictions = Protocol.load(folder.protocol), Predictions.load(folder.predictions)
    name = suite.row_id(row)
    progress.stage(name, "score")
    as_run = _Tried((), predictions, protocol, evaluate(predictions, protocol, settings.data))
    skipped: list[Skipped] = []
    tried: list[_Tried] = []
    if rerun:
        again, skipped = reruns(suite, row, _same_plan(suite, row, run, settings, folder), progress)
        progress.stage(name, "score")
        for one in again:
            try:
                measured = evaluate(one.predictions, one.protocol, settings.data)
            except HarnessError as error:
                skipped.append(Skipped(change=one.change, reason=str(error.args[0])))
                continue
            tried.append(_Tried((one.change,), one.predictions, one.protocol, measured))

    alternatives = []
    for alternative in alternatives_of(protocol):
        try:
            tried.append(_scored(as_run, alternative, settings))
            alternatives.append(alternative)
        except HarnessError as error:
            skipped.append(Skipped(change=alternative.change, reason=str(error.args[0])))

    def judged(changes: Sequence[TriedSetting], measured: Metrics) -> Trial:
        return make_trial(changes, claims, suite.metrics, measured, record.noise if record else None)

    run_itself = judged((), as_run.measured)
    trials = [judged(one.changes, one.measured) for one in tried]
    trials += [judged([change], measured) for change, measured in misreadings(claims, as_run.measured)]
    if not any(trial.matches_claims for trial in (run_itself, *trials)):
        singles = [one for one in tried if one.measured != as_run.measured]
        singles.sort(key=lambda one: judged(one.changes, one.measured).distance)
        trials += [judged(changes, measured) for changes, measured in _pairs(singles, alternatives, claims, settings)]
    return Explanation(
        row=name,
        run=run,
        incomplete=f"{record.status}: {record.reason}" if record and record.status != "complete" else None,
        as_run=run_itself,
        seen=evidence(predictions, protocol, settings.data),
        trials=rank(with_chances(run_itself, trials, suite.metrics)),
        skipped=skipped,
        not_tried=NEEDS_NETWORK if not rerun else [] if has_tf32(settings.device) else NEEDS_TF32,
    )


def alternatives_of(protocol: Protocol) -> Iterator[Alternative]:
    """Yield other ways to read and score the predictions of a run with this protocol."""
    own = str(dataset_class(protocol.dataset).metainfo)
    return scoring_alternatives(protocol, own, _sigmas(protocol.num_keypoints))


def _scored(tried: _Tried, alternative: Alternative, settings: Settings) -> _Tried:
    predictions, protocol = alternative.apply(tried.predictions, tried.protocol)
    measured = evaluate(predictions, protocol, settings.data)
    return _Tried((*tried.changes, alternative.change), predictions, protocol, measured)


def _pairs(
    singles: Sequence[_Tried], alternatives: Sequence[Alternative], claims: Sequence[Claim], settings: Settings
) -> Iterator[tuple[Sequence[TriedSetting], Metrics]]:
    """Yield pairs of changes to different settings, each pair once, with the metrics of both together.

    A pair is left out if its metrics are those of one change alone.

    Args:
        singles: The trials of one change that moves a metric, the closest to the claims first.
        alternatives: The alternatives that can be scored.
        claims: The claims to explain.
        settings: The settings of the run.
    """
    alone = {one.changes[0]: one.measured for one in singles}
    first: set[TriedSetting] = set()
    for tried in singles[:PAIRED]:
        change = tried.changes[0]
        first.add(change)
        for alternative in alternatives:
            second = alternative.change
            if second not in alone or second in first or second.setting == change.setting:
                continue
            with contextlib.suppress(HarnessError):  # both changes together may leave nothing to score
                both = _scored(tried, alternative, settings)
                if both.measured not in (tried.measured, alone[second]):
                    yield both.changes, both.measured
        for misread, measured in misreadings(claims, tried.measured):
            yield [change, misread], measured


@cache
def _sigmas(num_keypoints: int) -> dict[str, tuple[float, ...]]:
    """Return the OKS sigmas of MMPose's data sets with a number of keypoints; of equal sigmas, only the first."""
    found: dict[str, tuple[float, ...]] = {}
    for path in sorted((configs_folder() / "_base_" / "datasets").glob("*.py")):
        info = metainfo_of_file(str(path))
        if len(info.sigmas) == num_keypoints and info.sigmas not in found.values():
            found[path.stem] = info.sigmas
    return found


def _same_plan(suite: Suite, row: Row, run: str, settings: Settings, folder: RunFolder) -> Plan:
    """Return the plan of a run; raises DifferenceError if it would not give the saved predictions."""
    plan = make_plan(suite, row, run, settings)
    if plan.predictions_key != Predictions.saved_key(folder.predictions):
        raise DifferenceError(
            f"a rerun would use another batch size, device, limit, config, checkpoint or data than {folder.path}",
            "pass the options of that run, or repeat the run with `harness run`",
        )
    return plan
