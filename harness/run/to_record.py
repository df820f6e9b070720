"""Makes the record of a run from its predictions, or from its failure."""

import errno
import traceback
from typing import Any, Literal

from harness.errors import HarnessError, ObtainError
from harness.files import read_json
from harness.judge.verdict import judge_run
from harness.metrics.match import difference
from harness.predictions import Predictions
from harness.record import BoxesUsed, Estimation, Record, Status
from harness.run.boxes import identify_boxes
from harness.run.completeness import part_of
from harness.run.findings import data_warnings, suite_warnings, without_suite_warnings
from harness.run.job import Job
from harness.run.measure import Measures
from harness.run.plan import Plan, Settings

EVALUATOR_TOLERANCE = 1e-6
"""Largest difference between the metrics of MMPose's evaluator and ours (see `difference`) without a warning."""


def kept(job: Job, plan: Plan) -> Record | None:
    """Return the existing record if its measurements are still valid, else None."""
    earlier = job.folder.saved_record()
    if earlier is None or earlier.score_key != plan.score_key or job.folder.broken_seal(earlier):
        return None
    warnings = [*suite_warnings(plan, job.suite, job.row), *without_suite_warnings(earlier.warnings)]
    return judged(earlier.model_copy(update={"warnings": warnings}), job)


def begun(job: Job, plan: Plan, predictions: Predictions, estimation: Estimation) -> Record:
    """Return the record of predictions before they are measured."""
    dataset = job.suite.dataset_of(job.row)
    boxes, warnings = identify_boxes(plan, dataset, predictions)
    part, unknown = part_of(plan, dataset, predictions)
    warnings = [*suite_warnings(plan, job.suite, job.row), *data_warnings(plan), *warnings, *unknown]
    warnings += plan.checkpoint.warnings if plan.checkpoint else []
    warnings += estimation.warnings
    status, reason = _status(job.settings, part, boxes, dataset.box_person_ap)
    return job.record(
        status=status,
        reason=reason,
        weights=plan.weights,
        images=len(set(predictions.image_ids.tolist())),
        image_content=estimation.image_content,
        boxes=boxes,
        people=len(predictions),
        verdict="not run",
        warnings=warnings,
        timings=estimation.timings,
        together=estimation.together,
        effect=estimation.effect,
        network=estimation.network,
        predictions_key=plan.predictions_key,
        score_key=plan.score_key,
    )


def completed(record: Record, measures: Measures, job: Job) -> Record:
    """Return a begun record with its measurements and verdict."""
    update: dict[str, Any] = {
        "metrics": measures.metrics,
        "intervals": measures.intervals,
        "resampling": measures.resampling,
        "timings": record.timings | measures.timings,
    }
    if job.settings.engine == "upstream":
        upstream = read_json(job.folder.upstream_metrics, "upstream's metrics")
        warnings = [*record.warnings, *_disagreements(measures.metrics, upstream)]
        update |= {"upstream_metrics": upstream, "warnings": warnings}
    return judged(record.model_copy(update=update), job)


def failed(job: Job, error: Exception) -> Record:
    """Return the record of a failure, and save it unless the folder has a complete run."""
    folder = job.folder
    status: Literal["failed", "unobtainable"] = "unobtainable" if isinstance(error, ObtainError) else "failed"
    if isinstance(error, HarnessError):
        reason = str(error)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"the disk is full: {error.filename or folder.path}"
    else:
        folder.note("".join(traceback.format_exception(error)))
        reason = f"{type(error).__name__}: {error}\n  see the traceback in {folder.log}"
    record = job.record(status=status, reason=reason, verdict=status)
    if not folder.is_complete():
        try:
            record.save(folder.record)
        except OSError as full:
            record = record.model_copy(update={"warnings": [f"the record could not be written: {full}"]})
    return record


def judged(record: Record, job: Job) -> Record:
    """Judge the record again, because claims change more often than runs are repeated."""
    claims, verdict = judge_run(job.row, job.run, job.suite.metrics, record.metrics, record.status, record.noise)
    return record.model_copy(update={"claims": claims, "verdict": verdict})


def _status(
    settings: Settings, part: str | None, boxes: BoxesUsed | None, claimed: float | None
) -> tuple[Status, str | None]:
    """Return whether a run is comparable with published values, and if not, why."""
    reasons = []
    if settings.limit is not None:
        first = "image" if settings.limit == 1 else f"{settings.limit} images"
        reasons.append(f"only the first {first} (--limit)")
    if settings.seed is not None:
        reasons.append(f"seeded weights instead of the checkpoint (--weights random:{settings.seed})")
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
    return [
        f"{name}: MMPose's evaluator gives {theirs}, ours {ours[name]}"
        for name, theirs in (upstream or {}).items()
        if difference(ours[name], theirs) > EVALUATOR_TOLERANCE
    ]
