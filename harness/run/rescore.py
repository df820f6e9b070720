"""Scores the saved predictions of a run folder again, without torch or MMPose."""

from pathlib import Path

from harness.errors import ObtainError
from harness.judge.verdict import judge_run
from harness.metrics.evaluate import evaluate
from harness.predictions import Predictions
from harness.record import Record
from harness.run.intervals import measure_intervals
from harness.run_folder import RunFolder


def rescore(folder: RunFolder, data: Path) -> Record:
    """Recompute a run's metrics and verdict, and save them in its record.

    Args:
        folder: A folder that `harness run` has made.
        data: The data folder with the annotations of the run.

    Raises:
        ObtainError: A file of the run or its annotations is missing, damaged or not the one that the run used.
    """
    record = Record.load(folder.record)
    row, run, metrics = folder.read_spec()
    if record.predictions_key is None or Predictions.saved_key(folder.predictions) != record.predictions_key:
        raise ObtainError(f"the record and the predictions are of different runs: {folder.path}", "run it again")
    predictions, protocol = Predictions.load(folder.predictions), folder.read_protocol()
    measured = evaluate(predictions, protocol, data)
    claims, verdict = judge_run(row, run, metrics, measured, record.status, record.noise)
    intervals, resampling = measure_intervals(predictions, protocol, data)
    record = record.model_copy(
        update={
            "metrics": measured,
            "intervals": intervals,
            "resampling": resampling,
            "claims": claims,
            "verdict": verdict,
        }
    )
    record.save(folder.record)
    return record
