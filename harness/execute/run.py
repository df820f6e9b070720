"""Runs rows in this process, one after the other: predict, score, judge, record, each only where it is missing."""

import contextlib
import time
import traceback
from collections.abc import Iterator
from typing import Literal
from typing import Protocol as Interface

from harness.errors import HarnessError, ObtainError, UsageError
from harness.execute.boxes import identify_boxes
from harness.execute.coverage import part_of
from harness.execute.environment import describe_environment
from harness.execute.obtain import obtain_files, obtain_images
from harness.execute.plan import Plan, Settings, make_plan
from harness.files import read_json, write_json
from harness.judge.verdict import judge_run
from harness.predict.shared import predict_shared
from harness.predict.upstream import predict_upstream
from harness.predictions import Predictions
from harness.record import BoxesUsed, Record, Status
from harness.run_folder import RunFolder
from harness.score.evaluate import difference, evaluate
from harness.spec.ledger import point_at
from harness.spec.schema import Row, Suite

AGREEMENT = 1e-6
"""MMPose's evaluator and ours may differ by this much, fractions; more is a warning in the record."""


class Watcher(Interface):
    """Is told how the work on a run goes on."""

    def stage(self, name: str, people: int | None = None) -> None:
        """Begin a stage; `people` is how many it has to do, where it counts them."""

    def advance(self, people: int) -> None:
        """Count so many more people as done."""

    def download(self, name: str, done: int, total: int | None) -> None:
        """Tell how many bytes of a file are done."""


def refuse_to_replace(suite: Suite, row: Row, settings: Settings) -> None:
    """Make sure that no partial run would replace a complete one.

    Raises:
        UsageError: One would.
    """
    for run in row.runs if settings.partial else ():
        folder = _folder(suite, row, run, settings)
        if folder.is_complete():
            raise UsageError(f"a partial run would replace the complete one in {folder.path}", "name another --out DIR")


def run_row(suite: Suite, row: Row, settings: Settings, watcher: Watcher) -> list[Record]:
    """Do all runs of a row; a failure becomes a record with its reason, never an exception."""
    return [_attempt(suite, row, run, settings, watcher) for run in row.runs]


def _attempt(suite: Suite, row: Row, run: str, settings: Settings, watcher: Watcher) -> Record:
    folder = _folder(suite, row, run, settings)
    status: Literal["failed", "unobtainable"] = "failed"
    try:
        record = _run(suite, row, run, settings, watcher, folder)
        record.save(folder.record)
        return record
    except ObtainError as error:
        status, reason = "unobtainable", str(error)
    except HarnessError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 (a bug on one row is recorded and leaves the others running)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.log.write_text(traceback.format_exc())
        reason = f"{type(error).__name__}: {error}\n  the traceback is in {folder.log}"
    record = Record(
        suite=suite.name, row=row.id, run=run, label=row.label, status=status, reason=reason, verdict=status
    )  # fmt: skip
    if not folder.is_complete():
        record.save(folder.record)
    return record


def _folder(suite: Suite, row: Row, run: str, settings: Settings) -> RunFolder:
    return RunFolder(settings.out / suite.name / row.id / run)


def _run(suite: Suite, row: Row, run: str, settings: Settings, watcher: Watcher, folder: RunFolder) -> Record:
    watcher.stage("prepare")
    if settings.fetch:
        obtain_files(suite, row, run, settings, watcher.download)
    plan = make_plan(suite, row, run, settings)
    folder.make_way(plan.predictions_key)
    predicted = Predictions.saved_key(folder.predictions) == plan.predictions_key
    earlier = folder.saved_record()
    if predicted and earlier and earlier.score_key == plan.score_key:
        return _judged(earlier, row, run, suite)

    timings: dict[str, float] = {}
    if predicted:
        predictions = Predictions.load(folder.predictions)
    else:
        predictions = _predict(plan, watcher, folder, timings)
        folder.write_spec(suite, row, run, plan.config.to_dict())
        write_json(folder.protocol, plan.protocol.model_dump(mode="json"))
        write_json(folder.environment, describe_environment(settings.device))
        predictions.save(folder.predictions, plan.predictions_key)  # last: it vouches for the other files

    watcher.stage("score")
    with _timed(timings, "score"):
        metrics = evaluate(predictions, plan.protocol, settings.data)
    boxes, warnings = identify_boxes(plan, suite, predictions)
    part, unknown = part_of(plan, suite, predictions)
    warnings += unknown
    warnings += plan.checkpoint.warnings if plan.checkpoint else []
    status, reason = _status(settings, part, boxes, suite.dataset.box_person_ap)
    upstream = None
    if settings.engine == "upstream":
        upstream = read_json(folder.upstream_metrics, "upstream's metrics")
        warnings += _disagreements(metrics, upstream)
    record = Record(
        suite=suite.name,
        row=row.id,
        run=run,
        label=row.label,
        status=status,
        reason=reason,
        weights=plan.weights,
        images=len(set(predictions.image_ids.tolist())),
        boxes=boxes,
        people=len(predictions),
        metrics=metrics,
        upstream_metrics=upstream,
        verdict="not run",
        warnings=warnings,
        timings={name: round(seconds, 3) for name, seconds in timings.items()},
        predictions_key=plan.predictions_key,
        score_key=plan.score_key,
    )
    return _judged(record, row, run, suite)


def _predict(plan: Plan, watcher: Watcher, folder: RunFolder, timings: dict[str, float]) -> Predictions:
    with _timed(timings, "people"):
        people = plan.people()
        obtain_images(plan, people.images, watcher.download)
    watcher.stage("network")
    with _timed(timings, "network"):
        network = plan.network()
    watcher.stage("predict", len(people))
    with _timed(timings, "predict"):
        if plan.protocol.compute.engine == "shared":
            return predict_shared(network, people, plan.protocol, watcher.advance)
        config = point_at(plan.config, str(plan.settings.data))
        folder.path.mkdir(parents=True, exist_ok=True)
        predictions, metrics = predict_upstream(network, config, people, plan.protocol, watcher.advance, folder.log)
        write_json(folder.upstream_metrics, metrics)
        return predictions


def _judged(record: Record, row: Row, run: str, suite: Suite) -> Record:
    """Judge afresh: it takes no time, and claims are corrected more often than runs are repeated."""
    claims, verdict = judge_run(row, run, suite.metrics, record.metrics, record.status)
    return record.model_copy(update={"claims": claims, "verdict": verdict})


def _status(
    settings: Settings, part: str | None, boxes: BoxesUsed | None, claimed: float | None
) -> tuple[Status, str | None]:  # fmt: skip
    """Return whether a run is comparable with what was published, and why not."""
    reasons = []
    if settings.limit is not None:
        reasons.append(f"only the first {settings.limit} images (--limit)")
    if settings.seed is not None:
        reasons.append(f"seeded weights in place of the checkpoint (--weights random:{settings.seed})")
    elif part is not None:
        reasons.append(f"a part of the data set: {part}")
    if reasons:
        return "partial", "; ".join(reasons)
    if boxes and boxes.published is False:
        measured = "" if boxes.person_ap is None else f", person AP {100 * boxes.person_ap:.1f}"
        published = "" if claimed is None else f" (the published one: {claimed:.1f})"
        return "own boxes", f"another box file than the published one: sha256 {boxes.sha256[:8]}{measured}{published}"
    return "complete", None


def _disagreements(ours: dict[str, float | None], upstream: dict[str, float | None] | None) -> list[str]:
    if upstream is None:
        return ["MMPose's own evaluator did not run: it needs the package poseval, and all images"]
    return [
        f"{name}: MMPose's evaluator gives {theirs}, ours {ours[name]}"
        for name, theirs in upstream.items()
        if difference(ours[name], theirs) > AGREEMENT
    ]


@contextlib.contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start
