"""From predictions, or a failure, to a run's record."""

import errno
import time
import traceback
from typing import Literal

import numpy as np

from harness.errors import HarnessError, ObtainError
from harness.execute.boxes import identify_boxes
from harness.execute.coverage import part_of
from harness.execute.intervals import measure_intervals
from harness.execute.job import Job
from harness.execute.plan import Plan, Settings
from harness.execute.watcher import Watcher
from harness.files import read_json
from harness.judge.verdict import judge_run
from harness.predictions import Predictions
from harness.record import BoxesUsed, Estimation, Record, Status
from harness.score.diagnosis.diagnose import diagnose
from harness.score.evaluate import difference, evaluate
from harness.spec.metainfo import read_metainfo

AGREEMENT = 1e-6
"""MMPose's evaluator and ours may differ by this much, fractions; more is a warning in the record."""


def scored(
    job: Job, plan: Plan, predictions: Predictions | None, estimation: Estimation, watcher: Watcher
) -> Record:  # fmt: skip
    """Return the record of predictions, given or saved; those of an earlier one stay where they still hold."""
    earlier = job.folder.saved_record() if predictions is None else None
    if earlier and earlier.score_key == plan.score_key:
        record = judged(earlier, job)
    else:
        watcher.stage(job.name, "score")
        record = judged(_measured(job, plan, predictions or Predictions.load(job.folder.predictions), estimation), job)
    record.save(job.folder.record)
    return record


def _measured(job: Job, plan: Plan, predictions: Predictions, estimation: Estimation) -> Record:
    start = time.perf_counter()
    metrics = evaluate(predictions, plan.protocol, job.settings.data)
    evaluated = time.perf_counter()
    intervals, resampling = measure_intervals(predictions, plan.protocol, job.settings.data)
    resampled = time.perf_counter()
    names = read_metainfo(plan.config.test_dataloader.dataset).names
    diagnose(predictions, plan.protocol, job.settings.data, names).save(job.folder.diagnosis)
    ends = {"score": evaluated, "intervals": resampled, "diagnosis": time.perf_counter()}
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


def failed(job: Job, error: Exception) -> Record:
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


def judged(record: Record, job: Job) -> Record:
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
