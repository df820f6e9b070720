"""The interface of a family of metrics.

A family is one module or package of `harness/metrics/families/`, or an entry point of another package
(`harness.plugins`). Everything that depends on a metric is behind this interface: no other code distinguishes families.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from typing import Protocol as Interface

from harness.errors import SpecError
from harness.measures import Measure
from harness.plugins import plugin
from harness.protocol import DataFile, DatasetPool, Scoring, annotation_files

if TYPE_CHECKING:
    from harness.arrays import Float64, Int64
    from harness.metrics.diagnosis.chart import Chart
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.metrics.resample.draws import Draws
    from harness.predictions import Predictions

S = TypeVar("S", bound=Scoring)
T = TypeVar("T")
Metrics = dict[str, float | None]
"""Values by name, in the unit of their measure; None for an undefined value."""
Identify = Callable[[str, str], DataFile]
"""Returns a file of the data folder with its sha256, from its path there and its name for messages.

Raises ObtainError if the file is missing.
"""


@dataclass(frozen=True)
class TruthFiles:
    """The files of the ground truth, and the fields that are needed."""

    annotations: Path
    files: tuple[tuple[str, Path], ...]
    """The names of the scoring's fields that hold files, with the files."""
    dataset: str | DatasetPool
    """MMPose's class that reads them, e.g. CocoDataset, or several data sets."""
    num_keypoints: int
    needs: frozenset[str]
    """`Family.needs`."""

    def file(self, field: str) -> Path:
        """Return the file of a field of the scoring."""
        return dict(self.files)[field]


@dataclass(frozen=True)
class Labels:
    """Names of keypoints and images for a diagnosis."""

    names: Sequence[str]
    """[K] names of the keypoints."""
    mirror: Sequence[int]
    """[K] for each keypoint, its counterpart in a mirrored image."""
    images: Mapping[int, str]
    """File names by image id."""


class Matched(Interface):
    """Predictions matched with the ground truth, once for metrics, intervals and diagnosis."""

    @property
    def image_ids(self) -> "Int64":
        """The images that are scored, ascending, with and without predictions."""

    def stats(self) -> Metrics:
        """Return the metrics."""

    def resampled(self, draws: "Draws") -> "dict[str, Float64]":
        """Return each metric in every resample, [R]; NaN where it is undefined."""

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return the diagnosis of the predictions."""


@dataclass(frozen=True)
class OtherScoring:
    """An alternative value of a setting of a scoring."""

    setting: str
    used: str
    tried: str
    fields: Mapping[str, Any]
    """The changed fields of the scoring."""
    usual: bool = False
    """Whether the alternative is MMPose's default."""


class Family(ABC, Generic[S, T]):
    """A family of metrics.

    S is its part of the protocol, T its ground truth.
    """

    name: ClassVar[str]
    """The value of `scoring.metric`."""
    scoring: ClassVar[type[Scoring]]
    """The class of the scoring, S."""
    measures: ClassVar[Mapping[str, Measure]]
    """All its metrics by name, the most important first; of metrics with a threshold in their name, the usual ones."""
    evaluators: ClassVar[tuple[str, ...]]
    """MMPose's classes that compute it."""
    pools: ClassVar[bool] = False
    """Whether it scores people of several data sets together: it reads them through the data set's class alone."""
    settings: ClassVar[frozenset[str] | None] = None
    """Settings of its evaluators that `read_scoring` reads; others are refused. None: `read_scoring` refuses them."""
    similarity: ClassVar[str] = "similarity"
    """The name on pages of a diagnosis's similarity of a pose to a person."""
    files: ClassVar[Mapping[str, str]] = {}
    """The names of its scoring's files, by field, for messages."""
    foreign_options: ClassVar[frozenset[str]] = frozenset()
    """Options of `harness score --predictions` that the family supports."""

    def measure(self, name: str) -> Measure | None:
        """Return the measure of a metric's name; None if the family has no such metric."""
        return self.measures.get(name)

    @abstractmethod
    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> S:
        """Return the scoring of a config.

        Args:
            evaluator: The config's only `test_evaluator`, of one of `evaluators`.
            dataset: The config's `test_dataloader.dataset`.
            sigmas: [K] the sigmas of the data set.
            identify: Identifies a file of the data folder.

        Raises:
            SpecError: It has a setting that the harness does not evaluate.
        """

    def read_evaluators(
        self, evaluators: Sequence[Any], dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> S:
        """Return the scoring of a config from all its evaluators, which are of this family; by default there is one.

        Raises:
            SpecError: Several evaluators do not form one scoring, or as in `read_scoring`.
        """
        if len(evaluators) > 1:
            raise SpecError(
                f"config field test_evaluator: one metric is evaluated, not several: "
                f"{', '.join(evaluator.type for evaluator in evaluators)}",
                "keep one of them in each config, and write a row for each",
            )
        return self.read_scoring(evaluators[0], dataset, sigmas, identify)

    @abstractmethod
    def read_truth(self, source: TruthFiles) -> T:
        """Read the ground truth of all images.

        Raises:
            ObtainError: A file is missing or malformed; the message names it and the field.
        """

    def restricted(self, truth: T, image_ids: "Int64") -> T:
        """Return the ground truth of some images, for a partial run; by default all, for metrics of predictions."""
        return truth

    @abstractmethod
    def match(self, predictions: "Predictions", scoring: S, truth: T) -> Matched:
        """Match predictions with the ground truth.

        Raises:
            RunError: The predictions cannot be scored.
        """

    @abstractmethod
    def score_foreign(self, file: "ForeignFile[S]") -> "ForeignOutcome":
        """Score external predictions.

        Raises:
            UsageError: An option is not supported for them, or a required option is missing.
            ObtainError: They are missing, malformed or do not match the annotations.
        """

    def foreign_scoring(self, scoring: S, options: Mapping[str, Any]) -> S:
        """Return the scoring of external predictions for the options of `harness score`."""
        return scoring

    def needs(self, scoring: S) -> frozenset[str]:
        """Return the fields of annotations and images that the metric needs besides those of every data set."""
        return frozenset()

    def alternatives(self, scoring: S, dataset: str, sigmas: Mapping[str, tuple[float, ...]]) -> Iterator[OtherScoring]:
        """Yield alternative scorings that are often confused with this one.

        Args:
            scoring: The scoring of the run.
            dataset: The data set's name, as in `sigmas`.
            sigmas: The sigmas of all data sets with as many keypoints, by name.
        """
        yield from ()

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return the family's figures for a row's page, in addition to those of every diagnosis."""
        return ()

    metafile_names: ClassVar[tuple[Mapping[str, str], ...]] = ({},)
    """The harness's names of metrics by those in MMPose's metafiles, where the two differ; one mapping for each result
    that a metafile states for a model on one data set."""
    upstream_names: ClassVar[Mapping[str, str]]
    """The harness's names of metrics by those of MMPose's evaluators, which are without prefix."""
    upstream_unit: ClassVar[float] = 1.0
    """The unit of MMPose's evaluator: 0.01 for percent."""

    def our_name(self, upstream_name: str, scoring: S) -> str:
        """Return the harness's name of a metric from the name in MMPose's evaluators, which is without prefix."""
        return self.upstream_names[upstream_name]

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return why MMPose's evaluator cannot run here; None if it can. `limited` runs have a part of the images."""
        return None


def family_of(scoring: Scoring) -> Family[Any, Any]:
    """Return the family of a scoring."""
    found: Family[Any, Any] = plugin("metrics", scoring.metric, "scoring.metric")
    return found


class Scored(Interface):
    """The scoring part of a protocol, of a run or of external predictions."""

    @property
    def dataset(self) -> str | DatasetPool:
        """MMPose's class that reads the annotations, or several data sets."""

    @property
    def annotations(self) -> DataFile:
        """The annotation file."""

    @property
    def num_keypoints(self) -> int:
        """Number of keypoints per person."""

    @property
    def scoring(self) -> Scoring:
        """The rules of scoring."""


def truth_files(protocol: Scored, locate: Callable[[DataFile, str], Path]) -> TruthFiles:
    """Return the files of the ground truth; `locate` returns the path of a file, and has its name for messages."""
    scoring, family = protocol.scoring, family_of(protocol.scoring)
    annotations = [
        locate(file, "the annotation file") for file in annotation_files(protocol.dataset, protocol.annotations)
    ]
    return TruthFiles(
        annotations=annotations[0],
        files=tuple((name, locate(file, family.files.get(name, name))) for name, file in scoring.files.items()),
        dataset=protocol.dataset,
        num_keypoints=protocol.num_keypoints,
        needs=family.needs(scoring),
    )
