"""Runs rows: predict, score, judge, record, each only where it is missing.

What has the same people is predicted in one pass (`passes.py`).
"""

import errno
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import numpy as np

from harness.errors import HarnessError, ObtainError, UsageError
from harness.execute.boxes import identify_boxes
from harness.execute.coverage import part_of
from harness.execute.executors.base import Executor
from harness.execute.intervals import measure_intervals
from harness.execute.locks import RunLock
from harness.execute.noise import measure_noise
from harness.execute.obtain import obtain_files, obtain_images
from harness.execute.passes import Outcome, Watcher, predict_in_passes
from harness.execute.plan import Plan, Settings, make_plan, run_config
from harness.files import read_json, write_json
from harness.judge.verdict import judge_run
from harness.predict.people import People
from harness.predict.upstream import predict_upstream
from harness.predictions import Predictions
from harness.record import BoxesUsed, Estimation, Record, Status
from harness.run_folder import RunFolder
from harness.score.diagnosis.diagnose import diagnose
from harness.score.evaluate import difference, evaluate
from harness.spec.ledger import point_at
from harness.spec.metainfo import read_metainfo
from harness.spec.schema import Row, Suite

AGREEMENT = 1e-6
"""MMPose's evaluator and ours may differ by this much, fractions; more is a warning in the record."""


WAIT = 1.0
"""Seconds after which it is looked again whether another process is done with a run."""


@dataclass
class _Job:
    """One run on its way to its record."""

    suite: Suite
    row: Row
    run: str
    settings: Settings

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.settings.out / self.suite.name / self.row.id / self.run)

    @cached_property
    def lock(self) -> RunLock:
        return RunLock(self.folder.path)

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.suite.row_id(self.row)


def refuse_to_replace(suite: Suite, row: Row, settings: Settings) -> None:
    """Make sure that no partial run would replace a complete one.

    Raises:
        UsageError: One would.
    """
    for run in row.runs if settings.partial else ():
        folder = _Job(suite, row, run, settings).folder
        if folder.is_complete():
            raise UsageError(f"a partial run would replace the complete one in {folder.path}", "name another --out DIR")


def run_rows(
    rows: Sequence[tuple[Suite, Row]], settings: Settings, executor: Executor, watcher: Watcher
) -> Iterator[tuple[Suite, Row, list[Record]]]:
    """Do all runs of rows; a failure becomes a record with its reason, never an exception.

    Runs that another process works on are left to it, and taken from it when it is done.

    Yields:
        Each row when the last of its runs is done: those that are there already first, the others pass by pass.
    """
    records: dict[str, dict[str, Record]] = {}
    made = _locked([_Job(suite, row, run, settings) for suite, row in rows for run in row.runs], executor, watcher)
    for job, record in _with_noise(made, watcher) if settings.noise else ((job, record) for job, _, record in made):
        done = records.setdefault(job.name, {})
        done[job.run] = record
        if len(done) == len(job.row.runs):
            yield job.suite, job.row, [done[run] for run in job.row.runs]


def _with_noise(made: Iterator[tuple[_Job, Plan | None, Record]], watcher: Watcher) -> Iterator[tuple[_Job, Record]]:
    """Measure the noise floor of runs that have been made; it needs their networks again, several times."""
    for job, plan, record in made:
        if plan and record.metrics and not record.noise:
            try:
                noise = measure_noise(plan, Predictions.load(job.folder.predictions), record.metrics, job.name, watcher)
                record = _judged(record.model_copy(update={"noise": noise}), job)
                record.save(job.folder.record)
            except Exception as error:  # noqa: BLE001 (the run itself stands)
                warning = f"the noise floor could not be measured: {error}"
                record = record.model_copy(update={"warnings": [*record.warnings, warning]})
        yield job, record


def _locked(
    jobs: Sequence[_Job], executor: Executor, watcher: Watcher
) -> Iterator[tuple[_Job, Plan | None, Record]]:  # fmt: skip
    """Yield as `_records` does, each run while nobody else works on it; none is waited for with another one held."""
    waiting = list(jobs)
    while waiting:
        ours = [job for job in waiting if job.lock.acquire()]
        if not ours:
            watcher.stage(waiting[0].name, f"is with {waiting[0].lock.holder() or 'another process'}: waiting")
            time.sleep(WAIT)
            continue
        waiting = [job for job in waiting if job not in ours]
        try:
            for job, plan, record in _records(ours, executor, watcher):
                yield job, plan, record
                job.lock.release()
        finally:
            for job in ours:
                job.lock.release()


def _records(
    jobs: Sequence[_Job], executor: Executor, watcher: Watcher
) -> Iterator[tuple[_Job, Plan | None, Record]]:  # fmt: skip
    """Yield each run with its plan, which a run that failed may lack, and its record."""
    groups: dict[str, list[tuple[_Job, Plan]]] = {}
    for job in jobs:
        watcher.stage(job.name, "prepare")
        made = None
        try:
            made = plan = _plan(job, watcher)
            estimation = job.folder.saved_estimation()
            if not estimation or Predictions.saved_key(job.folder.predictions) != plan.predictions_key:
                # MMPose's loop takes one run; in a pass of ours, all with the same people take part.
                key = plan.people_key if job.settings.engine == "shared" else plan.predictions_key
                groups.setdefault(key, []).append((job, plan))
                continue
            job.folder.clear_shards()  # of a process that died just then
            record = _scored(job, plan, None, estimation, watcher)
            watcher.advance(record.people or 0)
        except Exception as error:  # noqa: BLE001 (a bug on one row is recorded and leaves the others running)
            record = _failed(job, error)
        yield job, made, record
    environment = executor.environment() if groups else {}
    for group in groups.values():
        for job, plan, outcome in _predicted(group, executor, watcher):
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                _save(job, plan, *outcome, environment=environment)
                record = _scored(job, plan, *outcome, watcher)
            except Exception as error:  # noqa: BLE001 (as above)
                record = _failed(job, error)
            yield job, plan, record


def _plan(job: _Job, watcher: Watcher) -> Plan:
    if job.settings.fetch:
        spec = job.row.runs[job.run]
        obtain_files(run_config(job.suite, job.row, spec, job.settings), spec, job.settings, watcher.download)
    plan = make_plan(job.suite, job.row, job.run, job.settings)
    job.folder.make_way(plan.predictions_key)
    job.folder.sweep()
    return plan


def _predicted(
    group: Sequence[tuple[_Job, Plan]], executor: Executor, watcher: Watcher
) -> Iterator[tuple[_Job, Plan, Outcome]]:  # fmt: skip
    """Predict runs with the same people."""
    left = list(range(len(group)))
    try:
        start = time.perf_counter()
        job, plan = group[0]
        people = plan.people()
        obtain_images(plan, people.images, watcher.download)
        seconds = round(time.perf_counter() - start, 3)
        if plan.protocol.compute.engine == "upstream":
            outcomes = iter([(0, _upstream(job, plan, people, watcher))])
        else:
            runs = [(job.name, plan, job.folder) for job, plan in group]
            outcomes = predict_in_passes(runs, people, executor, watcher)
        for number, outcome in outcomes:
            left.remove(number)
            if not isinstance(outcome, Exception):
                outcome[1].timings["people"] = seconds
            yield *group[number], outcome
    except Exception as error:  # noqa: BLE001 (of what they share, such as an image that cannot be read)
        for number in left:
            yield *group[number], error


def _upstream(job: _Job, plan: Plan, people: People, watcher: Watcher) -> Outcome:
    start = time.perf_counter()
    watcher.stage(job.name, "network")
    network = plan.network()
    built = time.perf_counter()
    watcher.stage(job.name, "predict", len(people))
    config = point_at(plan.config, str(job.settings.data))
    job.folder.path.mkdir(parents=True, exist_ok=True)
    predictions, metrics = predict_upstream(
        network, config, people, plan.protocol, watcher.advance, job.folder.log
    )  # fmt: skip
    write_json(job.folder.upstream_metrics, metrics)
    done = time.perf_counter()
    return predictions, Estimation(timings={"network": round(built - start, 3), "predict": round(done - built, 3)})


def _save(
    job: _Job, plan: Plan, predictions: Predictions, estimation: Estimation, environment: Mapping[str, Any]
) -> None:  # fmt: skip
    folder = job.folder
    folder.write_spec(job.suite, job.row, job.run, plan.config.to_dict())
    write_json(folder.protocol, plan.protocol.model_dump(mode="json"))
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder.environment, {**environment, "made": made})
    write_json(folder.estimation, estimation.model_dump(mode="json"))
    predictions.save(folder.predictions, plan.predictions_key)  # it vouches for the other files
    folder.clear_shards()


def _scored(
    job: _Job, plan: Plan, predictions: Predictions | None, estimation: Estimation, watcher: Watcher
) -> Record:  # fmt: skip
    """Return the record of predictions, given or saved; those of an earlier one stay where they still hold."""
    earlier = job.folder.saved_record() if predictions is None else None
    if earlier and earlier.score_key == plan.score_key:
        record = _judged(earlier, job)
    else:
        watcher.stage(job.name, "score")
        record = _judged(_measured(job, plan, predictions or Predictions.load(job.folder.predictions), estimation), job)
    record.save(job.folder.record)
    return record


def _measured(job: _Job, plan: Plan, predictions: Predictions, estimation: Estimation) -> Record:
    start = time.perf_counter()
    metrics = evaluate(predictions, plan.protocol, job.settings.data)
    scored = time.perf_counter()
    intervals, resampling = measure_intervals(predictions, plan.protocol, job.settings.data)
    resampled = time.perf_counter()
    names = read_metainfo(plan.config.test_dataloader.dataset).names
    diagnose(predictions, plan.protocol, job.settings.data, names).save(job.folder.diagnosis)
    ends = {"score": scored, "intervals": resampled, "diagnosis": time.perf_counter()}
    timings = dict(zip(ends, np.diff([start, *ends.values()]).tolist(), strict=True))
    dataset = job.suite.dataset_of(job.row)
    boxes, warnings = identify_boxes(plan, dataset, predictions)
    part, unknown = part_of(plan, dataset, predictions)
    warnings += unknown
    warnings += plan.checkpoint.warnings if plan.checkpoint else []
    warnings += estimation.warnings
    status, reason = _status(job.settings, part, boxes, dataset.box_person_ap)
    upstream = None
    if job.settings.engine == "upstream":
        upstream = read_json(job.folder.upstream_metrics, "upstream's metrics")
        warnings += _disagreements(metrics, upstream)
    return Record(
        suite=job.suite.name,
        row=job.row.id,
        run=job.run,
        label=job.row.label,
        status=status,
        reason=reason,
        weights=plan.weights,
        images=len(set(predictions.image_ids.tolist())),
        boxes=boxes,
        people=len(predictions),
        metrics=metrics,
        intervals=intervals,
        resampling=resampling,
        upstream_metrics=upstream,
        verdict="not run",
        warnings=warnings,
        timings=estimation.timings | {name: round(seconds, 3) for name, seconds in timings.items()},
        together=estimation.together,
        effect=estimation.effect,
        network=estimation.network,
        predictions_key=plan.predictions_key,
        score_key=plan.score_key,
    )


def _failed(job: _Job, error: Exception) -> Record:
    """Return, and keep unless a complete run is there, the record of a failure."""
    folder = job.folder
    status: Literal["failed", "unobtainable"] = "unobtainable" if isinstance(error, ObtainError) else "failed"
    if isinstance(error, HarnessError):
        reason = str(error)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"the disk is full: {error.filename or folder.path}"
    else:
        folder.note("".join(traceback.format_exception(error)))
        reason = f"{type(error).__name__}: {error}\n  the traceback is in {folder.log}"
    record = Record(
        suite=job.suite.name, row=job.row.id, run=job.run, label=job.row.label, status=status, reason=reason,
        verdict=status,
    )  # fmt: skip
    if not folder.is_complete():
        try:
            record.save(folder.record)
        except OSError as full:
            record = record.model_copy(update={"warnings": [f"the record could not be written: {full}"]})
    return record


def _judged(record: Record, job: _Job) -> Record:
    """Judge afresh: it takes no time, and claims are corrected more often than runs are repeated."""
    claims, verdict = judge_run(
        job.row, job.run, job.suite.metrics, record.metrics, record.status, record.noise
    )  # fmt: skip
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
