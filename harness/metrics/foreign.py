"""Scores what another framework predicted, under a suite's own ground truth; needs annotations, no images.

OKS suites take a COCO results file, whole-body suites one with the keypoints of each part in a field of its own or with
all in one list. PCK, AUC and EPE take a COCO results file in which each pose is that of one annotation;
PoseTrack18 takes its official files, one for each sequence; MPII, JHMDB and the faces, which NME scores, take an array
of keypoints in the order of the annotations. Poses and their scores count as they are: no rescoring and no NMS unless
asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, cast

from harness.assets.dataset import data_file
from harness.datasets.findings import find_problems, scored_files, usable
from harness.errors import ObtainError, UsageError
from harness.fields import Fields
from harness.files import sha256_file, sha256_folder
from harness.metrics.family import Metrics, S, TruthFiles, family_of, truth_files
from harness.metrics.pose_score import ScoreMode
from harness.protocol import AnyScoring, DataFile
from harness.suites.configs import load_config
from harness.suites.ledger import annotation_path, read_scoring
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Row, Run, Suite

SCHEMA_VERSION = 1

Nms = Literal["oks", "soft-oks", "none"]


class ForeignProtocol(Fields):
    """What moves the number of predictions that were made elsewhere."""

    dataset: str
    """MMPose's class that reads it, e.g. CocoDataset."""
    annotations: DataFile
    num_keypoints: int
    one_based: bool
    """The predictions count pixels from 1."""
    scoring: AnyScoring
    """A pose's own score stands for its box's: with score_mode bbox and no NMS, poses count as they are."""


@dataclass(frozen=True)
class ForeignFile(Generic[S]):
    """Predictions of another framework, to be scored."""

    path: Path
    """The file, or the folder with a file for each sequence."""
    protocol: ForeignProtocol
    data: Path
    array: str | None
    """The name of the keypoints in a file with several arrays."""

    @property
    def scoring(self) -> S:
        """The scoring, of its family's class."""
        return cast(S, self.protocol.scoring)

    @property
    def source(self) -> TruthFiles:
        """What the predictions are compared with."""
        return truth_files(self.protocol, lambda file, _: self.data / file.path)


class Coverage(Fields):
    """How much of the truth the predictions cover."""

    people: int
    """Who are to be found."""
    people_without_pose: int
    """Of them, those in images without any pose; in an array, those whose row has none."""
    images: int | None
    """With people who are to be found; None where a person stands for itself."""
    images_without_pose: int | None
    metrics: Metrics | None
    """On the images, or people, with poses only; None where that is all or none of them."""

    def __str__(self) -> str:
        if self.images is None:
            return f"no pose of {self.people_without_pose} of {self.people} people"
        return (
            f"no pose in {self.images_without_pose} of {self.images} images with people, "
            f"which have {self.people_without_pose} of {self.people} people"
        )


@dataclass(frozen=True)
class ForeignOutcome:
    """What predictions score, and what was found in them."""

    metrics: Metrics
    warnings: tuple[str, ...] = ()
    coverage: Coverage | None = None


class ForeignScore(Fields):
    """What a file of predictions scores."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    run: str
    predictions: str
    """The file, or the folder with a file for each sequence."""
    sha256: str
    """Of the file, or over the names and contents of the folder's *.json files."""
    protocol: ForeignProtocol
    metrics: Metrics
    """On all images: where there is no pose, people are missed."""
    coverage: Coverage | None = None
    """None where the metric does not tell."""
    warnings: tuple[str, ...] = ()
    """What was read in another way than it is written, or does not count, and what to do."""


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
        suite: Says how to score, by the config of its first row with such a run.
        path: The predictions.
        data: The data folder; only its annotations are read.
        run: Which run, and so which annotations; None where the rows' runs have one name.
        array: The name of the keypoints in a file with several arrays.
        one_based: Keypoints count pixels from 1; where an array is taken.
        score_mode: Score poses anew as MMPose's CocoMetric does, each pose's own score in place of its box's.
        nms: Drop duplicates as MMPose's CocoMetric does, at the suite's threshold.

    Raises:
        UsageError: An option that does not go with the suite, or that has to be given.
        ObtainError: Predictions or annotations are missing, malformed or do not fit each other.
    """
    run, row = _run(suite, run)
    spec = row.runs[run]
    protocol = read_foreign_protocol(suite, row, spec, data)
    family = family_of(protocol.scoring)
    options = {"array": array, "one_based": one_based, "score_mode": score_mode, "nms": nms}
    for option, value in options.items():
        if value and option not in family.foreign_options:
            raise UsageError(f"--{option.replace('_', '-')} does not go with {suite.name}")
    scoring = family.foreign_scoring(protocol.scoring, options)
    protocol = protocol.model_copy(update={"one_based": one_based, "scoring": scoring})
    sha256 = _sha256(path)
    names = read_metainfo(load_config(suite, row, spec).test_dataloader.dataset).names
    files = scored_files(protocol.dataset, protocol.annotations.path, scoring, names)
    digests = protocol.annotations.sha256, *(file.sha256 for file in scoring.files.values())
    warnings = usable(find_problems(files, data, digests)[1])
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


def read_foreign_protocol(suite: Suite, row: Row, run: Run, data: Path) -> ForeignProtocol:
    """Read how the config of a row's run scores.

    Raises:
        SpecError: The config cannot be loaded, or asks for what is not evaluated here.
        ObtainError: Annotations are missing.
    """
    config = load_config(suite, row, run)
    dataset = config.test_dataloader.dataset

    def identified(path: str, what: str) -> DataFile:
        return data_file(data, path, what)

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
        UsageError: There is none of that name; or without one, there are several.
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
        raise ObtainError(f"there are no predictions: {path} ({error.strerror})") from error
