"""Scores external predictions, those of another framework, on a suite's ground truth; needs annotations, no images.

OKS suites use a COCO results file; whole-body suites use one with the keypoints of each part in a separate field, or
with all in one list. PCK, AUC and EPE use a COCO results file in which each pose belongs to one annotation. PoseTrack18
uses its official files, one for each sequence. MPII, JHMDB and the faces, which NME scores, use an array of keypoints
in the order of the annotations. Poses and their scores are not changed: rescoring and NMS are options.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, cast, get_args

from mmengine.config import Config

from harness.assets.dataset import data_file
from harness.datasets.findings import find_problems, scored_files, usable
from harness.datasets.inspect.people import Annotated
from harness.errors import ObtainError, SpecError, UsageError, check_choice
from harness.fields import Fields
from harness.files import sha256_file, sha256_folder
from harness.metrics.family import Metrics, S, TruthFiles, family_of, truth_files
from harness.metrics.pose_score import ScoreMode
from harness.protocol import AnyScoring, DataFile
from harness.suites.configs import load_config
from harness.suites.ledger import annotation_path, read_scoring
from harness.suites.metainfo import read_metainfo
from harness.suites.pool import is_pool
from harness.suites.schema import Counts, Row, Suite

SCHEMA_VERSION = 1

Nms = Literal["oks", "soft-oks", "none"]


class ForeignProtocol(Fields):
    """The settings that affect the metrics of external predictions."""

    dataset: str
    """MMPose's class that reads it, e.g. CocoDataset."""
    annotations: DataFile
    num_keypoints: int
    one_based: bool
    """The predictions count pixels from 1."""
    scoring: AnyScoring
    """A pose's score replaces the score of its box: with score_mode bbox and no NMS, poses are not changed."""


@dataclass(frozen=True)
class ForeignFile(Generic[S]):
    """External predictions to score."""

    path: Path
    """The file, or the folder with a file for each sequence."""
    protocol: ForeignProtocol
    data: Path
    array: str | None
    """The name of the keypoints in a file with several arrays."""

    @property
    def scoring(self) -> S:
        """The scoring, in its family's class."""
        return cast(S, self.protocol.scoring)

    @property
    def source(self) -> TruthFiles:
        """The files of the ground truth."""
        return truth_files(self.protocol, lambda file, _: self.data / file.path)


class Coverage(Fields):
    """The part of the ground truth that the predictions cover."""

    people: int
    """Number of people to find."""
    people_without_pose: int
    """People to find in images without poses; in an array, people whose row has no pose."""
    images: int | None
    """Images with people to find; None where predictions are listed by person."""
    images_without_pose: int | None
    metrics: Metrics | None
    """Metrics on the images, or people, with poses only; None if these are all or none."""

    def __str__(self) -> str:
        if self.images is None:
            return f"no pose of {self.people_without_pose} of {self.people} people"
        return (
            f"no pose in {self.images_without_pose} of {self.images} images with people, "
            f"which have {self.people_without_pose} of {self.people} people"
        )


@dataclass(frozen=True)
class ForeignOutcome:
    """The metrics of external predictions, with warnings and coverage."""

    metrics: Metrics
    warnings: tuple[str, ...] = ()
    coverage: Coverage | None = None


class ForeignScore(Fields):
    """The score of a file of predictions."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    run: str
    predictions: str
    """The file, or the folder with a file for each sequence."""
    sha256: str
    """sha256 of the file, or of the names and contents of the folder's *.json files."""
    protocol: ForeignProtocol
    metrics: Metrics
    """On all images: people in images without a pose count as missed."""
    coverage: Coverage | None = None
    """None if the metric does not determine it."""
    warnings: tuple[str, ...] = ()
    """Values that were corrected or that do not count, with the next step."""


def score_foreign(
    suite: Suite,
    path: Path,
    data: Path,
    *,
    run: str | None = None,
    array: str | None = None,
    one_based: bool = False,
    score_mode: ScoreMode | None = None,
    nms: Nms | None = None,
) -> ForeignScore:
    """Score a file of predictions under a suite.

    Args:
        suite: The suite; the config of its first row with the run defines the scoring.
        path: The predictions.
        data: The data folder; only its annotations are read.
        run: The name of the run, which decides the annotations; None if all runs have one name.
        array: The name of the keypoints in a file with several arrays.
        one_based: Keypoints count pixels from 1; for arrays only.
        score_mode: Rescore poses as MMPose's CocoMetric does, with each pose's score in place of its box's.
        nms: Remove duplicates as MMPose's CocoMetric does, at the suite's threshold.

    Raises:
        UsageError: The suite does not support an option or its value, or a required option is missing.
        ObtainError: Predictions or annotations are missing, malformed or do not match each other.
    """
    check_choice("score_mode", score_mode, get_args(ScoreMode), optional=True)
    check_choice("nms", nms, get_args(Nms), optional=True)
    run, row = _run(suite, run)
    config = load_config(suite, row, row.runs[run])
    protocol = read_foreign_protocol(suite.row_id(row), config, data)
    family = family_of(protocol.scoring)
    options = {"array": array, "one_based": one_based, "score_mode": score_mode, "nms": nms}
    for option, value in options.items():
        if value and option not in family.foreign_options:
            raise UsageError(f"--{option.replace('_', '-')} is not supported for {suite.name}")
    scoring = family.foreign_scoring(protocol.scoring, options)
    protocol = protocol.model_copy(update={"one_based": one_based, "scoring": scoring})
    sha256 = _sha256(path)
    names = read_metainfo(config.test_dataloader.dataset).names
    files = scored_files(protocol.dataset, protocol.annotations.path, scoring, names)
    digests = protocol.annotations.sha256, *(file.sha256 for file in scoring.files.values())
    annotated, problems = find_problems(files, data, digests)
    counts = suite.dataset_of(row).counts_of(protocol.annotations.path)
    warnings = [*_part_warnings(counts, annotated), *usable(problems)]
    outcome = family.score_foreign(ForeignFile(path, protocol, data, array))
    return ForeignScore(
        suite=suite.name,
        run=run,
        predictions=str(path),
        sha256=sha256,
        protocol=protocol,
        metrics=outcome.metrics,
        coverage=outcome.coverage,
        warnings=(*warnings, *outcome.warnings),
    )


def _part_warnings(counts: Counts, annotated: Annotated) -> list[str]:
    """Return a warning if the annotations have fewer images or people than the suite states for the whole data set."""
    found = (("images", len(annotated.images.ids), counts.images), ("people", annotated.people, counts.people))
    parts = [f"{there:,} of {whole:,} {what}" for what, there, whole in found if whole is not None and there < whole]
    if not parts:
        return []
    return [f"the annotations have {parts[0]}: metrics of a part do not compare with published values"]


def read_foreign_protocol(name: str, config: Config, data: Path) -> ForeignProtocol:
    """Return the scoring of the config of a row; `name` is the row's full id, for messages.

    Raises:
        SpecError: The config has a setting that the harness does not evaluate.
        ObtainError: Annotations are missing.
    """
    dataset = config.test_dataloader.dataset

    def identified(path: str, what: str) -> DataFile:
        return data_file(data, path, what)

    if is_pool(dataset):
        raise SpecError(
            f"{name}: external predictions of several data sets together ({dataset.type}) are not scored: "
            "their ids of people and images are not unique",
            "score the predictions of each data set, with a suite of that data set",
        )
    return ForeignProtocol(
        dataset=dataset.type,
        annotations=identified(annotation_path(config), "the annotation file"),
        num_keypoints=len(read_metainfo(dataset).names),
        one_based=False,
        scoring=read_scoring(config, identified),
    )


def _run(suite: Suite, name: str | None) -> tuple[str, Row]:
    """Return a run's name, and the first row that has such a run.

    Raises:
        UsageError: No run has the name; or without a name, there are several runs.
    """
    rows: dict[str, Row] = {}
    for row in suite.rows:
        for run in row.runs:
            rows.setdefault(run, row)
    if name is None and len(rows) == 1:
        return next(iter(rows.items()))
    if name is None:
        raise UsageError(f"{suite.name} has several annotation files", f"choose one with --run: {', '.join(rows)}")
    if name not in rows:
        raise UsageError(f"{suite.name} has no run {name}", f"its runs: {', '.join(rows)}")
    return name, rows[name]


def _sha256(path: Path) -> str:
    try:
        return sha256_folder(path, "*.json") if path.is_dir() else sha256_file(path)
    except OSError as error:
        raise ObtainError(f"predictions cannot be read: {path} ({error.strerror})") from error
