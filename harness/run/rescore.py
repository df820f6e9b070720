"""Scores the saved predictions of a run folder again; needs neither torch nor MMPose."""

from pathlib import Path

from harness.assets.dataset import same_file
from harness.datasets.findings import find_problems, scored_files, usable
from harness.errors import ObtainError
from harness.judge.verdict import judge_run
from harness.metrics.diagnosis.model import Diagnosis
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import Record
from harness.run.measure import measure
from harness.run_folder import RunFolder, RunSpec


def rescore(folder: RunFolder, data: Path) -> Record:
    """Recompute a run's metrics, intervals, diagnosis and verdict, and save and return its record.

    Args:
        folder: A run folder of `harness run`.
        data: The data folder with the annotations of the run.

    Raises:
        ObtainError: A file of the run or its annotations is missing, damaged or different from the one the run used.
    """
    record = Record.load(folder.record)
    spec = RunSpec.load(folder.spec)
    if record.predictions_key is None or Predictions.saved_key(folder.predictions) != record.predictions_key:
        raise ObtainError(f"the record and the predictions belong to different runs: {folder.path}", "repeat the run")
    if changed := folder.changed_source(record):
        raise ObtainError(changed, "repeat the run")
    protocol = Protocol.load(folder.protocol)
    names = spec.keypoints or _former_names(folder, protocol.num_keypoints)
    warnings = _warnings(protocol, data, names)
    measures = measure(folder, protocol, data, names)
    claims, verdict = judge_run(spec.row, spec.run, spec.metrics, measures.metrics, record.status, record.noise)
    record = record.model_copy(
        update={
            "metrics": measures.metrics,
            "intervals": measures.intervals,
            "resampling": measures.resampling,
            "claims": claims,
            "verdict": verdict,
            "warnings": list(dict.fromkeys([*warnings, *record.warnings])),
        }
    )
    return folder.save_record(record)


def _warnings(protocol: Protocol, data: Path, names: tuple[str, ...]) -> list[str]:
    """Return warnings about the annotations that a reader of the number should see.

    Raises:
        ObtainError: They are missing, malformed, not those of the run, or make the number meaningless.
    """
    for file in protocol.annotation_files:
        same_file(data, file, "the annotation file")
    files = scored_files(protocol.dataset, protocol.annotations.path, protocol.scoring, names, protocol.boxes)
    return usable(find_problems(files, data, protocol.file_digests)[1])


def _former_names(folder: RunFolder, count: int) -> tuple[str, ...]:
    """Return the keypoints' names of a run whose version did not save them: from its diagnosis, or numbered."""
    try:
        names = tuple(keypoint.name for keypoint in Diagnosis.load(folder.diagnosis).keypoints)
    except ObtainError:
        names = ()
    return names if len(names) == count else tuple(f"keypoint {number}" for number in range(count))
