"""Reads run folders for a comparison, and resamples both runs of a pair; needs neither torch nor MMPose."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DifferenceError, ObtainError, UsageError, check_number, check_whole
from harness.files import read_json
from harness.judge.comparison import Comparison, Pair, Paired, RecordedRun, compare
from harness.judge.verdict import judge_again
from harness.protocol import Protocol
from harness.record import Record
from harness.run_folder import MEND, RunFolder, RunSpec
from harness.suites.load import names_of, row_matches, row_patterns, unmatched_patterns

if TYPE_CHECKING:
    from harness.predictions import Predictions


RECOMPUTED_TOLERANCE = 1e-9
"""Largest difference between a recorded metric and the one recomputed from its predictions, caused by rounding."""


def compare_folders(
    new: Path,
    baseline: Path,
    suites: Collection[str] = (),
    glob: str | None = None,
    *,
    data: Path | None = None,
    noise_floor: float | None = None,
    resamples: int = 1000,
) -> Comparison:
    """Compare the runs of two folders; with a data folder, what moved is resampled for p-values.

    Raises:
        UsageError: A folder has no such run, neither has a row that one of the patterns matches, or a number is out of
            its range.
        SpecError: The file of a suite cannot be read, or is not a suite.
        ObtainError: A file of a run or its annotations is missing or damaged.
        DifferenceError: A record does not agree with its own predictions.
    """
    check_number("noise_floor", noise_floor, 0, optional=True)
    check_whole("resamples", resamples, 1)
    found, expected = read_outcomes(new, suites, glob), read_outcomes(baseline, suites, glob)
    rows = {(suite, row) for suite, row, _ in (run.split("/") for run in (*found, *expected))}
    if unmatched := unmatched_patterns(rows, glob):
        raise UsageError(
            f"no record in {new} or {baseline} matches --rows {', '.join(unmatched)}",
            "name folders that contain a folder for each suite, which contains a folder for each row",
        )
    return compare(
        found,
        expected,
        noise_floor,
        pair_by_resampling(new, baseline, data, resamples) if data else None,
    )


def read_outcomes(out: Path, suites: Collection[str] = (), glob: str | None = None) -> dict[str, RecordedRun]:
    """Return the runs below a folder by id, `suite/row/run`, without those that were moved aside.

    Args:
        out: Folder in which `harness run` puts run folders.
        suites: Only these suites, by name, by group or by the path of a YAML file; all if empty.
        glob: Only rows whose id, with or without the suite, matches one of these shell patterns, separated by commas.

    Raises:
        UsageError: There is no matching run.
        SpecError: The file of a suite cannot be read, or is not a suite.
        ObtainError: A file of a run is missing or damaged, or lies in the folder of another run.
    """
    # Names of runs contain no dot; `val.1a2b3c4d` is a run that was moved aside.
    records = [path for path in sorted(out.glob("*/*/*/record.json")) if "." not in path.parent.name]
    if not records:
        raise UsageError(
            f"no records of runs in {out}",
            f"make them with `harness run SUITE --out {out}`, and name the folder that contains the suites' folders",
        )
    names, patterns = names_of(suites), row_patterns(glob)
    chosen = [
        path
        for path in records
        if (not names or path.parts[-4] in names) and row_matches(path.parts[-4], path.parts[-3], patterns)
    ]
    if not chosen:
        wanted = " ".join([*suites, *(["--rows", glob] if glob else [])])
        there = ", ".join(sorted({path.parts[-4] for path in records}))
        raise UsageError(f"no record in {out} matches {wanted}", f"it contains runs of {there}")
    return {"/".join(path.parts[-4:-1]): _read(RunFolder(path.parent)) for path in chosen}


def _read(folder: RunFolder) -> RecordedRun:
    record = Record.load(folder.record)
    folder.check_seal(record)
    outcome = RecordedRun(record)
    if outcome.broken:  # other files in its folder may be from an earlier run
        return outcome
    if folder.spec.is_file():
        record = judge_again(record, RunSpec.load(folder.spec))
    environment: Any = read_json(folder.environment, "the environment", "make the run with `harness run`")
    if not isinstance(environment, dict):
        raise ObtainError(f"the environment is damaged: {folder.environment}", "repeat the run")
    return RecordedRun(record, Protocol.load(folder.protocol), environment)


def _predictions(folder: RunFolder) -> "Predictions":
    from harness.predictions import Predictions

    if Predictions.saved_key(folder.predictions) != Record.load(folder.record).predictions_key:
        raise ObtainError(f"no predictions that match the record: {folder.path}", "repeat the run")
    return Predictions.load(folder.predictions)


def _check_agreement(folder: RunFolder, measured: Mapping[str, float | None]) -> None:
    """Check that a record's metrics equal those computed from its predictions.

    Raises:
        DifferenceError: A metric differs by more than `RECOMPUTED_TOLERANCE`.
    """
    from harness.metrics.match import difference

    stored = Record.load(folder.record).metrics
    for name, value in measured.items():
        if name in stored and difference(stored[name], value) > RECOMPUTED_TOLERANCE:
            raise DifferenceError(
                f"{folder.record} does not match its own predictions: {name} is {stored[name]} in the record, "
                f"and {value} from the predictions",
                MEND,
            )


def pair_by_resampling(new: Path, baseline: Path, data: Path, resamples: int, seed: int = 0) -> Pair:
    """Return a function that resamples the images of a run, the same images for both sides.

    Args:
        new: Folder of the new runs.
        baseline: Folder of the baseline's runs.
        data: The data folder with the annotations of the runs.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """

    def pair(run: str) -> Mapping[str, Paired]:
        from harness.metrics.match import match
        from harness.metrics.resample import (  # imports numba, only if a metric changed
            draw,
            paired_difference,
            resampled_metrics,
        )

        # Both sides have the same ground truth, so either gives the list of images.
        folders = RunFolder(new / run), RunFolder(baseline / run)
        sides = [(_predictions(folder), Protocol.load(folder.protocol)) for folder in folders]
        matched = [match(*side, data) for side in sides]
        for folder, side in zip(folders, matched, strict=True):
            _check_agreement(folder, side.stats())
        draws = draw(matched[1], sides[1][1], data, resamples, seed)
        now, before = (resampled_metrics(side, draws) for side in matched)
        return {
            metric: Paired(low=found.low, high=found.high, p_value=found.p_value, resamples=resamples)
            for metric in now
            if metric in before and (found := paired_difference(now[metric], before[metric]))
        }

    return pair
