"""Runs rows: predicts, scores, judges and records, each step only if its result is missing.

Runs with the same people are predicted in one pass (`passes.py`).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.assets.image_digests import images_digest
from harness.datasets.people import People
from harness.errors import ObtainError, UsageError
from harness.files import is_file, read_json, write_json
from harness.metrics.match import read_truth
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_conditions import moved_by_packages, why_not_evaluated
from harness.predictions import Predictions
from harness.record import Estimation, Record
from harness.run.executors.base import Executor
from harness.run.findings import data_warnings, size_warnings
from harness.run.job import Job
from harness.run.noise import measure_noise
from harness.run.obtain import obtain_files, obtain_images
from harness.run.passes import Outcome, predict_in_passes
from harness.run.plan import Plan, Settings, make_plan, run_config
from harness.run.progress import RunProgress
from harness.run.scoring import Scorer, save_description
from harness.run.to_record import failed, judged
from harness.suites.ledger import point_at
from harness.suites.schema import Row, Suite

WAIT = 1.0
"""Seconds between two checks whether another process has finished a run."""


def refuse_to_replace(suite: Suite, row: Row, settings: Settings) -> None:
    """Check that no partial run would replace a complete one.

    Raises:
        UsageError: A partial run would replace a complete one.
    """
    for run in row.runs if settings.partial else ():
        folder = Job(suite, row, run, settings).folder
        if folder.is_complete():
            raise UsageError(f"a partial run would replace the complete one in {folder.path}", "name another --out DIR")


def run_rows(
    rows: Sequence[tuple[Suite, Row]], settings: Settings, executor: Executor, progress: RunProgress
) -> Iterator[tuple[Suite, Row, list[Record]]]:
    """Do all runs of rows; a failure becomes a record with its reason instead of an exception.

    A run that another process works on is left to that process, and its record is read afterwards.

    Yields:
        Each row when the last of its runs is done: first the rows with existing results, then the others by pass.
    """
    records: dict[str, dict[str, Record]] = {}
    made = _locked([Job(suite, row, run, settings) for suite, row in rows for run in row.runs], executor, progress)
    for job, record in _with_noise(made, progress) if settings.noise else ((job, record) for job, _, record in made):
        done = records.setdefault(job.name, {})
        done[job.run] = record
        if len(done) == len(job.row.runs):
            yield job.suite, job.row, [done[run] for run in job.row.runs]


def _with_noise(made: Iterator[tuple[Job, Plan | None, Record]], progress: RunProgress) -> Iterator[tuple[Job, Record]]:
    """Measure the noise floor of finished runs; this predicts each of them several times more."""
    for job, plan, record in made:
        if plan and record.metrics and not record.noise:
            try:
                noise = measure_noise(
                    plan, Predictions.load(job.folder.predictions), record.metrics, job.name, progress
                )
                record = judged(record.model_copy(update={"noise": noise}), job)
                record = job.folder.save_record(record)
            except Exception as error:  # noqa: BLE001 (the run itself stays valid)
                warning = f"the noise floor could not be measured: {error}"
                record = record.model_copy(update={"warnings": [*record.warnings, warning]})
        yield job, record


def _locked(
    jobs: Sequence[Job], executor: Executor, progress: RunProgress
) -> Iterator[tuple[Job, Plan | None, Record]]:
    """Yield as `_records` does, each run under its lock; never wait for a lock while holding another one."""
    waiting = list(jobs)
    try:
        while waiting:
            ours = [job for job in waiting if job.lock.acquire()]
            if not ours:
                progress.stage(waiting[0].name, f"waiting for {waiting[0].lock.holder() or 'another process'}")
                time.sleep(WAIT)
                continue
            waiting = [job for job in waiting if job not in ours]
            for job, plan, record in _records(ours, executor, progress):
                yield job, plan, record
                job.lock.release()
    finally:  # also if a signal arrives while locks are being acquired
        for job in jobs:
            job.lock.release()


def _records(
    jobs: Sequence[Job], executor: Executor, progress: RunProgress
) -> Iterator[tuple[Job, Plan | None, Record]]:
    """Yield each run with its plan, None if it failed early, and its record."""
    groups: dict[str, list[tuple[Job, Plan]]] = {}
    with Scorer(len(jobs), progress) as scoring:
        for job in jobs:
            progress.stage(job.name, "prepare")
            made = None
            try:
                made = plan = _plan(job, progress)
                estimation = job.folder.saved_estimation()
                there = job.folder.has_predictions(plan.predictions_key) and _has_circumstances(job)
                if not estimation or not there or _has_other_images(plan, estimation, job):
                    # MMPose's loop takes one run; a pass of our engine takes all runs with the same people.
                    key = plan.people_key if job.settings.engine == "shared" else plan.predictions_key
                    groups.setdefault(key, []).append((job, plan))
                    continue
                job.folder.clear_shards()  # left by a process that died before removing them
                progress.advance(scoring.again(job, plan, estimation))
            except Exception as error:  # noqa: BLE001 (an error in one row is recorded, and the others continue)
                yield job, made, failed(job, error)
        yield from scoring.done()
        environment = executor.environment() if groups else {}
        for group in groups.values():
            for item in _predicted(group, executor, progress):
                if item is None:
                    yield from scoring.done()
                    continue
                job, plan, outcome = item
                try:
                    if isinstance(outcome, Exception):
                        raise outcome
                    _save(job, plan, *outcome, environment=environment)
                    scoring.add(job, plan, *outcome)
                except Exception as error:  # noqa: BLE001 (as above)
                    yield job, plan, failed(job, error)


def _has_circumstances(job: Job) -> bool:
    """Return whether files that only a prediction makes can be read: the environment, and upstream's metrics."""
    folder = job.folder
    try:
        sound = isinstance(read_json(folder.environment, "the environment"), dict)
        if job.settings.engine == "upstream":
            read_json(folder.upstream_metrics, "upstream's metrics")
    except ObtainError as error:
        folder.note(f"{error}: predicting again")
        return False
    if not sound:
        folder.note("the environment is damaged: predicting again")
    return sound


def _has_other_images(plan: Plan, estimation: Estimation, job: Job) -> bool:
    """Return whether images have changed since the predictions were made; missing images are not compared."""
    images = plan.people().images
    if estimation.image_content is None or not all(map(is_file, images.values())):
        return False
    if changed := images_digest(images) != estimation.image_content:
        job.folder.note("images have changed since the predictions were made: predicting again")
    return changed


def _plan(job: Job, progress: RunProgress) -> Plan:
    if job.settings.fetch:
        spec = job.row.runs[job.run]
        obtain_files(run_config(job.suite, job.row, spec, job.settings), spec, job.settings, progress.download)
    plan = make_plan(job.suite, job.row, job.run, job.settings)
    job.folder.make_way(plan.predictions_key)
    job.folder.sweep()
    return plan


def _predicted(
    group: Sequence[tuple[Job, Plan]], executor: Executor, progress: RunProgress
) -> Iterator[tuple[Job, Plan, Outcome] | None]:
    """Predict runs with the same people; yields None after each pass."""
    start = time.perf_counter()
    sound: list[tuple[Job, Plan]] = []
    for job, plan in group:
        try:
            for warning in data_warnings(plan):
                progress.warn(job.name, warning)
            plan.people()
            read_truth(plan.protocol, plan.settings.data)
            sound.append((job, plan))
        except Exception as error:  # noqa: BLE001 (an error in one run leaves the other rows running)
            yield job, plan, error
    group, left = sound, list(range(len(sound)))
    try:
        if not group:
            return
        job, plan = group[0]
        people = plan.people()
        obtain_images(plan, people.images, progress.download)
        warnings = size_warnings(plan, people)
        for warning in warnings:
            progress.warn(job.name, warning)
        content = images_digest(people.images)
        seconds = round(time.perf_counter() - start, 3)
        if plan.protocol.compute.engine == "upstream":
            outcomes: Iterator[tuple[int, Outcome] | None] = iter([(0, _upstream(job, plan, people, progress))])
        else:
            runs = [(job.name, plan, job.folder) for job, plan in group]
            outcomes = predict_in_passes(runs, people, executor, progress, image_content=content)
        for item in outcomes:
            if item is None:
                yield None
                continue
            number, outcome = item
            left.remove(number)
            if not isinstance(outcome, Exception):
                predictions, estimation = outcome
                update = {
                    "timings": estimation.timings | {"people": seconds},
                    "warnings": [*estimation.warnings, *warnings],
                    "image_content": content,
                }
                outcome = predictions, estimation.model_copy(update=update)
            yield *group[number], outcome
    except Exception as error:  # noqa: BLE001 (an error in shared data, such as an unreadable image)
        for number in left:
            yield *group[number], error
    yield None


def _upstream(job: Job, plan: Plan, people: People, progress: RunProgress) -> Outcome:
    start = time.perf_counter()
    progress.stage(job.name, "network")
    network = plan.network()
    built = time.perf_counter()
    progress.stage(job.name, "predict", len(people))
    config = point_at(plan.config, str(job.settings.data))
    job.folder.path.mkdir(parents=True, exist_ok=True)
    predictions, metrics = predict_upstream(network, config, people, plan.protocol, progress.advance, job.folder.log)
    write_json(job.folder.upstream_metrics, metrics)
    done = time.perf_counter()
    missing = why_not_evaluated(plan.protocol)
    return predictions, Estimation(
        timings={"network": round(built - start, 3), "predict": round(done - built, 3)},
        warnings=[
            *moved_by_packages(plan.protocol),
            *([f"MMPose's own evaluator did not run: {missing}"] if missing else []),
        ],
    )


def _save(
    job: Job, plan: Plan, predictions: Predictions, estimation: Estimation, environment: Mapping[str, Any]
) -> None:
    folder = job.folder
    save_description(job, plan)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder.environment, {**environment, "made": made})
    estimation.save(folder.estimation)
    predictions.save(folder.predictions, plan.predictions_key)  # saved last: it marks the other files as valid
    folder.clear_shards()
