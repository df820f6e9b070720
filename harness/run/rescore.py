"""Scores the saved predictions of a run folder again; needs neither torch nor MMPose."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from harness.assets.dataset import data_file, same_file
from harness.datasets.findings import find_problems, scored_files, usable
from harness.errors import ObtainError
from harness.judge.verdict import judge_run
from harness.metrics.diagnosis.model import Diagnosis
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import MEASURED, Record, Status
from harness.run.completeness import status_of
from harness.run.measure import measure
from harness.run_folder import RunFolder, RunSpec


def rescore(folder: RunFolder, data: Path) -> Record:
    """Recompute a run's metrics, intervals, diagnosis and verdict, and save and return its record.

    A record that was changed after the run is saved as its seal states it, and is returned with a warning about the
    changed fields. A box file that is not that of the run is not inspected, and a warning says so.

    Args:
        folder: A run folder of `harness run`.
        data: The data folder with the annotations of the run.

    Raises:
        ObtainError: A file of the run or its annotations is missing, damaged or different from the one the run used; or
            a field of the record was changed that does not follow from the predictions.
    """
    record = Record.load(folder.record)
    spec = RunSpec.load(folder.spec)
    if record.predictions_key is None or Predictions.saved_key(folder.predictions) != record.predictions_key:
        raise ObtainError(f"the record and the predictions belong to different runs: {folder.path}", "repeat the run")
    if changed := folder.changed_source(record):
        raise ObtainError(changed, "repeat the run")
    protocol = Protocol.load(folder.protocol)
    names = spec.keypoints or _former_names(folder, protocol.num_keypoints)
    told = [other] if (other := _other_boxes(protocol, data)) else []
    warnings = _warnings(protocol, data, names, with_boxes=not other)
    predictions = Predictions.load(folder.predictions)
    measures = measure(folder, protocol, data, names, predictions)
    measured = {"metrics": measures.metrics, "intervals": measures.intervals}
    if record.seal is None or folder.broken_seal(record):
        read, counted = record, {"images": len(set(predictions.image_ids.tolist())), "people": len(predictions)}
        record = record.model_copy(update={"suite": spec.suite["name"], "row": spec.row.id, "run": spec.run})
        if record.seal is None:
            record = _without_seal(record.model_copy(update=counted), protocol)
        else:
            record = _as_sealed(folder, record, protocol, counted, measured)
            changed = ", ".join(sorted(name for name in MEASURED if getattr(read, name) != getattr(record, name)))
            told.append(f"{folder.record} was changed after the run in {changed}; the values of the run are restored")
    claims, verdict = judge_run(spec.row, spec.run, spec.metrics, measures.metrics, record.status, record.noise)
    update = {**measured, "resampling": measures.resampling, "claims": claims, "verdict": verdict}
    update["warnings"] = list(dict.fromkeys([*warnings, *record.warnings]))
    saved = folder.save_record(record.model_copy(update=update))
    return saved.model_copy(update={"warnings": [*told, *saved.warnings]})


def _as_sealed(
    folder: RunFolder, record: Record, protocol: Protocol, counted: dict[str, Any], measured: dict[str, Any]
) -> Record:
    """Return a changed record as it was when it was sealed.

    Its seal shows which status it had, whether it had a noise floor, and which values were changed.

    Args:
        folder: The run folder.
        record: The changed record.
        protocol: The protocol of the run.
        counted: The numbers of images and people of the predictions.
        measured: The metrics and intervals of the predictions.

    Raises:
        ObtainError: It has other weights, boxes, noise floor or digests than the sealed one.
    """
    statuses: tuple[Status, ...] = ("complete", "own boxes", "partial")
    for status, noise, people, metrics in product(statuses, (record.noise, None), ({}, counted), ({}, measured)):
        sealed = record.model_copy(update={"status": status, "noise": noise, **people, **metrics})
        if not folder.broken_seal(sealed):
            reason = record.reason if status == record.status else _reason(sealed, protocol)
            return sealed.model_copy(update={"reason": reason})
    raise ObtainError(
        f"{folder.record}: the weights, boxes, noise floor or digests have been changed since they were measured, and "
        "do not follow from the predictions",
        "repeat the run",
    )


def _reason(record: Record, protocol: Protocol) -> str | None:
    """Return why a record has its status, as far as this follows from the protocol."""
    part = record.status == "partial" and protocol.limit is None
    stated = "fewer people or images than the suite states" if part else None
    return status_of(protocol.limit, _seed(record), stated, record.boxes, None)[1]


def _without_seal(record: Record, protocol: Protocol) -> Record:
    """Return a record of version 0.1.0 with a warning; it is partial at least if its protocol or its weights say so."""
    status, reason = status_of(protocol.limit, _seed(record), None, None, None)
    unchecked = "the record had no seal, so its weights, boxes, noise floor and digests could not be checked"
    update: dict[str, Any] = {"warnings": [*record.warnings, unchecked]}
    if status != "complete":
        update |= {"status": status, "reason": reason}
    return record.model_copy(update=update)


def _seed(record: Record) -> int | None:
    return record.weights.seed if record.weights else None


def _warnings(protocol: Protocol, data: Path, names: tuple[str, ...], *, with_boxes: bool) -> list[str]:
    """Return warnings about the annotations and, if wanted, the boxes that a reader of the number should see.

    Raises:
        ObtainError: They are missing, malformed, not those of the run, or make the number meaningless.
    """
    for file in protocol.annotation_files:
        same_file(data, file, "the annotation file")
    files = scored_files(protocol.dataset, protocol.annotations.path, protocol.scoring, names, protocol.boxes)
    if not with_boxes:
        files = replace(files, boxes=())
    return usable(find_problems(files, data, protocol.file_digests)[1])


def _other_boxes(protocol: Protocol, data: Path) -> str | None:
    """Return a message if the box file is not that of the run; scoring does not need it."""
    boxes = protocol.boxes.file
    if boxes is None or not (data / boxes.path).exists() or data_file(data, boxes.path, "the box file") == boxes:
        return None
    return f"the box file {data / boxes.path} is not the one that the run used, so it was not inspected"


def _former_names(folder: RunFolder, count: int) -> tuple[str, ...]:
    """Return the keypoints' names of a run whose version did not save them: from its diagnosis, or numbered."""
    try:
        names = tuple(keypoint.name for keypoint in Diagnosis.load(folder.diagnosis).keypoints)
    except ObtainError:
        names = ()
    return names if len(names) == count else tuple(f"keypoint {number}" for number in range(count))
