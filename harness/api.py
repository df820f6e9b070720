"""The public functions: each name here can be imported from `harness`.

The examples use the demo suite: `harness fetch demo` renders its images, and its networks come with the package. They
run in this order, in a folder without earlier results:

>>> import harness
>>> [outcome] = harness.run_rows("demo", "litehrnet-18-mpii-*", limit=4)
>>> outcome.id, outcome.verdict
('demo/litehrnet-18-mpii-128x128', 'partial')

Paths are strings or `pathlib.Path`. Where a suite is an argument, it is its name, the path of its YAML file, or what
`load_suite` returned. Errors that a user can act on are `HarnessError`; their text names the file, the field and the
next step.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.report.frame import load_results
from harness.suites import load
from harness.suites.schema import Suite

if TYPE_CHECKING:
    from harness.judge.comparison import Comparison
    from harness.judge.differences import Differences
    from harness.judge.explanation import Explanation
    from harness.metrics.foreign import ForeignScore, Nms
    from harness.metrics.pose_score import ScoreMode
    from harness.predictions import Predictions
    from harness.protocol import Precision
    from harness.record import Record
    from harness.run.plan import Settings
    from harness.run.progress import RunProgress
    from harness.run.row_outcome import RowOutcome
    from harness.suites.audit import Audit

__all__ = [
    "HarnessError",
    "check_suite",
    "compare_runs",
    "explain_difference",
    "explain_row",
    "load_predictions",
    "load_record",
    "load_results",
    "load_suite",
    "rescore_run",
    "run_rows",
    "score_predictions",
    "suite_names",
]


def suite_names() -> list[str]:
    """Return the names of the suites that come with the package, in alphabetical order.

    >>> import harness
    >>> harness.suite_names()[:4]
    ['300w', '300wlp', 'aflw', 'aic']
    """
    return load.suite_names()


def load_suite(name_or_path: str | Path) -> Suite:
    """Return a suite: its data set, its metrics, and its rows with the published values.

    Args:
        name_or_path: The name of a suite that comes with the package, or the path of a YAML file.

    Raises:
        UsageError: There is no suite of that name.
        SpecError: The file cannot be read, or does not hold a suite.

    >>> import harness
    >>> suite = harness.load_suite("coco")
    >>> claim = suite.rows[0].claims[0]
    >>> len(suite.rows), suite.rows[0].id, claim.metric, claim.value
    (41, 'vitpose-h-256x192', 'AP', 0.79)
    """
    return load.load_suite(name_or_path)


def check_suite(suite: str | Path | Suite) -> "Audit":
    """Compare a suite with MMPose's configs and metafiles, as `harness check` does.

    Args:
        suite: The suite. The configs of a custom suite are Python programs and are executed.

    Returns:
        The findings: `Audit.problems` are those that the suite does not state.

    Raises:
        SpecError: The suite cannot be used.
        ObtainError: MMPose is not installed.

    >>> import harness
    >>> harness.check_suite("demo").problems
    []
    """
    from harness.suites.audit import audit_suite

    return audit_suite(_loaded(suite))


def run_rows(
    suite: str | Path | Suite,
    rows: str | None = None,
    *,
    data: str | Path = "data",
    out: str | Path = "runs",
    checkpoints: str | Path | None = None,
    device: str | None = None,
    precision: "Precision" = "fp32",
    engine: Literal["shared", "upstream"] = "shared",
    batch_size: int | None = None,
    limit: int | None = None,
    seed: int | None = None,
    boxes: str | Path | None = None,
    noise: bool = False,
    offline: bool = False,
    progress: "RunProgress | None" = None,
) -> "list[RowOutcome]":
    """Evaluate rows of a suite and judge them, as `harness run` does.

    Each run gets the folder `out/suite/row/run`. An existing run that was made from the same content is not made
    again. A run that fails gives a record with the verdict `failed` or `unobtainable` and a reason.

    Args:
        suite: The suite. The configs of a custom suite are Python programs and are executed.
        rows: Shell patterns of row ids, separated by commas; None for all rows.
        data: An MMPose `data/` folder.
        out: The folder of the run folders.
        checkpoints: The folder of the checkpoints; None for the cache.
        device: `cpu`, `cuda`, `cuda:1`, or several separated by commas, each with a separate process; None for the
            first GPU, else the CPU.
        precision: `fp32` computes as MMPose does; the other precisions are faster.
        engine: `shared`, or `upstream` for MMPose's own test loop.
        batch_size: People in a batch; None for the config's number, or 128 on a GPU with another precision than `fp32`.
        limit: Number of first images to evaluate; the verdict is then `partial`.
        seed: Use seeded weights in place of the checkpoints; the verdict is then `partial`.
        boxes: A detector's box file in place of the published one; the verdict is then `own boxes`.
        noise: Also measure the noise floor of each run.
        offline: Download nothing.
        progress: Receives stages, people done, warnings and downloads; None shows nothing.

    Returns:
        An outcome for each row, in the order of the suite.

    Raises:
        UsageError: No row matches, a partial run would replace a complete one, the device does not exist, `out` cannot
            be written to, or another argument has a wrong value.
        SpecError: The suite cannot be used.

    >>> import harness
    >>> [outcome] = harness.run_rows("demo", "litehrnet-18-mpii-*", limit=4)
    >>> record = outcome.records[0]
    >>> record.images, record.people, record.reason
    (4, 4, 'only the first 4 images (--limit)')
    """
    from harness.assets.cache import checkpoint_folder
    from harness.files import check_writable
    from harness.run.executors.choose import choose_executor
    from harness.run.plan import Settings
    from harness.run.progress import SilentProgress
    from harness.run.row_outcome import evaluate_rows
    from harness.suites.load import select_rows

    loaded = _loaded(suite)
    chosen = [(loaded, row) for row in select_rows(loaded, rows)]
    check_writable(Path(out))
    shown = progress or SilentProgress()
    with choose_executor("local", None, device, shown.advance) as workers:
        settings = Settings(
            data=Path(data),
            checkpoints=Path(checkpoints) if checkpoints else checkpoint_folder(),
            out=Path(out),
            device=workers.device,
            seed=seed,
            limit=limit,
            engine=engine,
            batch_size=batch_size,
            fetch=not offline,
            boxes=Path(boxes) if boxes else None,
            precision=precision,
            noise=noise,
        )
        outcomes = {outcome.row.id: outcome for outcome in evaluate_rows(chosen, settings, workers, shown)}
    return [outcomes[row.id] for _, row in chosen]


def score_predictions(
    suite: str | Path | Suite,
    predictions: str | Path,
    *,
    data: str | Path = "data",
    run: str | None = None,
    array: str | None = None,
    one_based: bool = False,
    score_mode: "ScoreMode | None" = None,
    nms: "Nms | None" = None,
) -> "ForeignScore":
    """Score a file of predictions from any framework, as `harness score SUITE --predictions FILE` does.

    Args:
        suite: The suite whose ground truth and metrics apply.
        predictions: COCO results (`.json`); for MPII, JHMDB and faces an array [people, keypoints, 2] in the order of
            the annotations (`.npy`, `.mat`, `.h5`, `.json`); for PoseTrack18 the folder with a file for each sequence.
        data: An MMPose `data/` folder; only its annotations are read.
        run: The run whose annotations apply, for a suite with several, such as `sub1` of JHMDB.
        array: The name of the keypoints in a file with several arrays.
        one_based: The keypoints of an array count pixels from 1.
        score_mode: Score poses again as MMPose does; None takes scores as they are.
        nms: Drop duplicate poses as MMPose does; None keeps all poses.

    Returns:
        The metrics with the protocol, the coverage of the ground truth, warnings, and the sha256 of the file.

    Raises:
        UsageError: An option does not go with the suite, has a wrong value, or has to be given.
        ObtainError: Predictions or annotations are missing, malformed, or do not fit each other.

    >>> import harness, json, pathlib
    >>> truth = json.loads(pathlib.Path("data/demo/coco/annotations/person_keypoints_val.json").read_text())
    >>> fields = "image_id", "category_id", "keypoints"
    >>> poses = [{name: one[name] for name in fields} | {"score": 1.0} for one in truth["annotations"]]
    >>> written = pathlib.Path("poses.json").write_text(json.dumps(poses))
    >>> round(harness.score_predictions("demo", "poses.json").metrics["AP"], 6)
    1.0
    """
    from harness.metrics.foreign import score_foreign

    return score_foreign(
        _loaded(suite),
        Path(predictions),
        Path(data),
        run=run,
        array=array,
        one_based=one_based,
        score_mode=score_mode,
        nms=nms,
    )


def rescore_run(folder: str | Path, data: str | Path = "data") -> "Record":
    """Compute the metrics of a run again from its saved predictions, and save the record.

    A record that was changed after the run is saved as its seal states it, and is returned with a warning.

    Args:
        folder: A run folder, such as `runs/demo/litehrnet-18-mpii-128x128/val`.
        data: The data folder with the annotations of the run.

    Raises:
        ObtainError: A file of the run or its annotations is missing, damaged, or not the one that the run used; or a
            field of the record was changed that does not follow from the predictions, such as the noise floor.

    >>> import harness
    >>> before = harness.load_record("runs/demo/litehrnet-18-mpii-128x128/val")
    >>> harness.rescore_run("runs/demo/litehrnet-18-mpii-128x128/val").metrics == before.metrics
    True
    """
    from harness.run.rescore import rescore
    from harness.run_folder import RunFolder

    return rescore(RunFolder(Path(folder)), Path(data))


def compare_runs(
    new: str | Path,
    baseline: str | Path,
    suites: Sequence[str] = (),
    rows: str | None = None,
    *,
    data: str | Path | None = None,
    noise_floor: float | None = None,
    resamples: int = 1000,
) -> "Comparison":
    """Compare two folders of runs, as `harness compare` does.

    Args:
        new: A folder that runs were written to, as `out` of `run_rows`.
        baseline: The folder to compare with.
        suites: Names of suites or groups, or paths of YAML files; none for all.
        rows: Shell patterns of row ids, separated by commas; None for all rows.
        data: A data folder with the annotations: metrics that moved then get p-values.
        noise_floor: The largest move that counts as noise, in the unit of the metric; None for each metric's own.
        resamples: The number of resamples for p-values.

    Returns:
        The comparison: `Comparison.red` is true for a regression, and each run has its metrics on both sides.

    Raises:
        UsageError: A folder has no such run, or `noise_floor` or `resamples` has a wrong value.
        SpecError: The file of a suite cannot be used.
        ObtainError: A file of a run is missing or damaged.

    >>> import harness
    >>> harness.compare_runs("runs", "runs").red
    False
    """
    from harness.run.comparison import compare_folders

    return compare_folders(
        Path(new),
        Path(baseline),
        suites,
        rows,
        data=Path(data) if data else None,
        noise_floor=noise_floor,
        resamples=resamples,
    )


def explain_row(
    row: str,
    *,
    run: str | None = None,
    targets: Mapping[str, float] | None = None,
    out: str | Path = "runs",
    data: str | Path = "data",
    checkpoints: str | Path | None = None,
    device: str | None = None,
    rerun: bool = False,
    progress: "RunProgress | None" = None,
) -> "Explanation":
    """Find the settings that turn the numbers of a run into the published ones, as `harness explain` does.

    Args:
        row: The full id of a row that was run, such as `coco/hrnet-w32-256x192` or `mine.yaml/my-net`.
        run: The name of the run, for a row with several.
        targets: Values to explain by metric, in the unit of the table; None for the published values.
        out: The folder of the run folders.
        data: The data folder of the run.
        checkpoints: The folder of the checkpoints; None for the cache.
        device: The device for `rerun`; None for the first GPU, else the CPU.
        rerun: Also try settings that need the network, such as the decoder.
        progress: Receives stages and people done; None shows nothing.

    Returns:
        The trials, the best first: `Explanation.causes` are those that give the published values.

    Raises:
        UsageError: The id names no row, nothing is published about the run, a target is not a finite number of a
            metric of the suite, or another argument has a wrong value.
        ObtainError: The run was not made, or a file that it needs is missing.
        DifferenceError: With `rerun`, the run was made from other content.

    >>> import harness
    >>> explanation = harness.explain_row("demo/litehrnet-18-mpii-128x128", targets={"PCKh@0.5": 0.118})
    >>> print(*explanation.trials[0].changes)
    claimed metric: PCKh@0.5 -> PCKh@0.1
    """
    from harness.run.explanation import explain
    from harness.run.named_run import claims_to_explain, named_row, named_run
    from harness.run.progress import SilentProgress

    suite, found = named_row(row)
    run = named_run(suite, found, run)
    claims = claims_to_explain(suite, found, run, targets or {})
    settings = _explaining(out, data, checkpoints, device)
    return explain(suite, found, run, settings, claims, rerun, progress or SilentProgress())


def explain_difference(
    row: str,
    baseline: str | Path,
    *,
    run: str | None = None,
    out: str | Path = "runs",
    data: str | Path = "data",
    checkpoints: str | Path | None = None,
    device: str | None = None,
    rerun: bool = False,
    progress: "RunProgress | None" = None,
) -> "Differences":
    """Find what separates a run from the same run in another folder, as `harness explain --baseline` does.

    Args:
        row: The full id of a row that was run, such as `coco/hrnet-w32-256x192` or `mine.yaml/my-net`.
        baseline: The folder of runs that contains the other run.
        run: The name of the run, for a row with several.
        out: The folder of the run folders.
        data: The data folder of the run.
        checkpoints: The folder of the checkpoints; None for the cache.
        device: The device for `rerun`; None for the first GPU, else the CPU.
        rerun: Also compute a few images with other settings of the network.
        progress: Receives stages and people done; None shows nothing.

    Returns:
        The differences of the predictions, and the causes that follow from them.

    Raises:
        UsageError: The id names no row, or the two sides have different keypoints.
        ObtainError: One of the two runs was not made, or its files do not belong together.

    >>> import harness
    >>> harness.explain_difference("demo/litehrnet-18-mpii-128x128", "runs").causes
    []
    """
    from harness.run.explanation_of_difference import explain_difference_of
    from harness.run.named_run import named_row, named_run
    from harness.run.progress import SilentProgress

    suite, found = named_row(row)
    settings = _explaining(out, data, checkpoints, device)
    shown = progress or SilentProgress()
    return explain_difference_of(suite, found, named_run(suite, found, run), settings, Path(baseline), rerun, shown)


def load_record(folder: str | Path) -> "Record":
    """Return the record of a run: metrics, intervals, claims with verdicts, weights, warnings, timings.

    Args:
        folder: A run folder, such as `runs/demo/litehrnet-18-mpii-128x128/val`.

    Raises:
        ObtainError: The record is missing, damaged, or of a later version.

    >>> import harness
    >>> list(harness.load_record("runs/demo/litehrnet-18-mpii-128x128/val").metrics)[:2]
    ['PCKh@0.5', 'PCKh@0.1']
    """
    from harness.record import Record
    from harness.run_folder import RunFolder

    return Record.load(RunFolder(Path(folder)).record)


def load_predictions(folder: str | Path) -> "Predictions":
    """Return the predictions of a run: keypoints [N, K, 2] in px, scores [N, K], boxes [N, 4] and ids [N] of N people.

    Args:
        folder: A run folder, such as `runs/demo/litehrnet-18-mpii-128x128/val`.

    Raises:
        ObtainError: The predictions are missing, damaged, or of a later version.

    >>> import harness
    >>> harness.load_predictions("runs/demo/litehrnet-18-mpii-128x128/val").keypoints.shape
    (4, 16, 2)
    """
    from harness.predictions import Predictions
    from harness.run_folder import RunFolder

    return Predictions.load(RunFolder(Path(folder)).predictions)


def _explaining(out: str | Path, data: str | Path, checkpoints: str | Path | None, device: str | None) -> "Settings":
    """Return the settings to explain a run with."""
    from harness.assets.cache import checkpoint_folder
    from harness.run.device import choose_device
    from harness.run.plan import Settings

    return Settings(
        data=Path(data),
        checkpoints=Path(checkpoints) if checkpoints else checkpoint_folder(),
        out=Path(out),
        device=choose_device(device),
    )


def _loaded(suite: str | Path | Suite) -> Suite:
    return suite if isinstance(suite, Suite) else load_suite(suite)
