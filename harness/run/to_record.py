"""Makes the record of a run from its predictions, or from its failure."""

import errno
import traceback
from typing import Any, Literal

from harness.errors import HarnessError, ObtainError, OtherFileError
from harness.files import read_json
from harness.judge.verdict import judge_run
from harness.metrics.match import difference
from harness.predictions import Predictions
from harness.record import BoxesUsed, Estimation, Record
from harness.run.boxes import identify_boxes
from harness.run.completeness import part_of, status_of
from harness.run.findings import data_warnings, suite_warnings
from harness.run.job import Job
from harness.run.measure import Measures
from harness.run.plan import Plan

EVALUATOR_TOLERANCE = 1e-6
"""Largest difference between the metrics of MMPose's evaluator and ours (see `difference`) without a warning."""


def kept(job: Job, plan: Plan) -> Record | None:
    """Return the existing record if its measurements are still valid, with what the suite states now; else None.

    The status, its reason and the identified boxes follow from the suite, which may have been corrected.
    """
    earlier = job.folder.saved_record()
    if earlier is None or earlier.unsealed or earlier.score_key != plan.score_key or job.folder.broken_seal(earlier):
        return None
    predictions = Predictions.load(job.folder.predictions)
    update = _of_the_suite(job, plan, predictions, earlier.boxes)
    others = [warning for warning in earlier.warnings if warning not in earlier.suite_warnings]
    update["warnings"] = [*update["suite_warnings"], *others]
    return judged(earlier.model_copy(update={**update, "label": job.row.label}), job)


def begun(job: Job, plan: Plan, predictions: Predictions, estimation: Estimation) -> Record:
    """Return the record of predictions before they are measured."""
    update = _of_the_suite(job, plan, predictions)
    return job.record(
        **update,
        weights=plan.weights,
        images=len(set(predictions.image_ids.tolist())),
        image_content=estimation.image_content,
        people=len(predictions),
        verdict="not run",
        warnings=[*update["suite_warnings"], *data_warnings(plan), *estimation.warnings],
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
    other_file = isinstance(error, OtherFileError)
    record = job.record(status=status, reason=reason, other_file=other_file, verdict=status)
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


def _of_the_suite(job: Job, plan: Plan, predictions: Predictions, earlier: BoxesUsed | None = None) -> dict[str, Any]:
    """Return the fields of the record that depend on the suite; `earlier` boxes are not measured."""
    dataset = job.suite.dataset_of(job.row)
    boxes, of_boxes = identify_boxes(plan, dataset, predictions, earlier)
    part, unknown = part_of(plan, dataset, predictions)
    status, reason = status_of(plan.settings.limit, plan.settings.seed, part, boxes, dataset.box_person_ap)
    stale = plan.checkpoint.warnings if plan.checkpoint else ()
    warnings = [*suite_warnings(plan, job.suite, job.row), *of_boxes, *unknown, *stale]
    return {"status": status, "reason": reason, "boxes": boxes, "suite_warnings": warnings}


def _disagreements(ours: dict[str, float | None], upstream: dict[str, float | None] | None) -> list[str]:
    return [
        f"{name}: MMPose's evaluator gives {theirs}, ours {ours[name]}"
        for name, theirs in (upstream or {}).items()
        if difference(ours[name], theirs) > EVALUATOR_TOLERANCE
    ]
