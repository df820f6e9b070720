"""What a family of metrics gives to the rest of the project.

A family is one module or package of `harness/metrics/families/`, or an entry point of another package
(`harness.plugins`). All that is known of a metric is behind this interface: nothing outside of it asks which family
it has before it.
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
from harness.protocol import DataFile, Scoring

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
"""Values by name, in the unit of their measure; None where one is undefined."""
Identify = Callable[[str, str], DataFile]
"""Identifies a file of the data folder, given its path there and what it is; raises ObtainError where it is missing."""


@dataclass(frozen=True)
class TruthFiles:
    """The files that ground truth is read from, and what is needed of them."""

    annotations: Path
    files: tuple[tuple[str, Path], ...]
    """The files of the scoring, with their fields."""
    dataset: str
    """MMPose's class that reads them, e.g. CocoDataset."""
    num_keypoints: int
    needs: frozenset[str]
    """`Family.needs`."""

    def file(self, field: str) -> Path:
        """Return the file of a field of the scoring."""
        return dict(self.files)[field]


@dataclass(frozen=True)
class Labels:
    """What a diagnosis calls keypoints and images."""

    names: Sequence[str]
    """[K] of the keypoints."""
    mirror: Sequence[int]
    """[K] for each keypoint, the one that it becomes in a mirrored image."""
    images: Mapping[int, str]
    """File names by image id."""


class Matched(Interface):
    """Predictions matched with the truth, once; all that is said of them follows from it."""

    @property
    def image_ids(self) -> "Int64":
        """The images that are scored, ascending, with and without predictions."""

    def stats(self) -> Metrics:
        """Return the metrics."""

    def resampled(self, draws: "Draws") -> "dict[str, Float64]":
        """Return the metrics [R] in every resample; NaN where one is undefined."""

    def diagnosis(self, labels: Labels) -> "Diagnosis":
        """Return what is wrong with the predictions."""


@dataclass(frozen=True)
class OtherScoring:
    """One setting of a scoring, as the run has it and as it may be meant."""

    setting: str
    used: str
    tried: str
    fields: Mapping[str, Any]
    """What changes in the scoring."""
    usual: bool = False
    """Whether what was tried is MMPose's default."""


class Family(ABC, Generic[S, T]):
    """A family of metrics.

    S is its part of the protocol, T its ground truth.
    """

    name: ClassVar[str]
    """As `scoring.metric` has it."""
    scoring: ClassVar[type[Scoring]]
    """S."""
    measures: ClassVar[Mapping[str, Measure]]
    """All that it can give, the most important first; of numbers whose name has a threshold, the usual ones."""
    evaluators: ClassVar[tuple[str, ...]]
    """MMPose's classes that compute it."""
    settings: ClassVar[frozenset[str] | None] = None
    """Settings of its evaluators that `read_scoring` reads, any other of which is refused; None: it refuses them."""
    similarity: ClassVar[str] = "similarity"
    """What pages call the similarity of a pose to a person in its diagnosis."""
    files: ClassVar[Mapping[str, str]] = {}
    """What the files of its scoring are, by field, for messages."""
    foreign_options: ClassVar[frozenset[str]] = frozenset()
    """Options of `harness score --predictions` that go with it."""

    def measure(self, name: str) -> Measure | None:
        """Return what the number of a name is; None where it gives no such number."""
        return self.measures.get(name)

    @abstractmethod
    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> S:
        """Read how a config scores.

        Args:
            evaluator: The config's only `test_evaluator`, of one of `evaluators`.
            dataset: The config's `test_dataloader.dataset`.
            sigmas: [K] those of the data set.
            identify: As above.

        Raises:
            SpecError: It asks for what is not evaluated here.
        """

    def read_evaluators(
        self, evaluators: Sequence[Any], dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> S:
        """Read how a config scores by all its evaluators, which are of this family; by default there may be one.

        Raises:
            SpecError: There are several that are not one scoring, or as `read_scoring`.
        """
        if len(evaluators) > 1:
            raise SpecError(
                f"config field test_evaluator: one metric is evaluated, not several: "
                f"{', '.join(evaluator.type for evaluator in evaluators)}",
                "leave one of them in a config, and write a row for each",
            )
        return self.read_scoring(evaluators[0], dataset, sigmas, identify)

    @abstractmethod
    def read_truth(self, source: TruthFiles) -> T:
        """Read the truth of all images.

        Raises:
            ObtainError: A file is missing or malformed; the message names it and the field.
        """

    def restricted(self, truth: T, image_ids: "Int64") -> T:
        """Return the truth of some images, for a partial run; by default all of it, where nobody else counts."""
        return truth

    @abstractmethod
    def match(self, predictions: "Predictions", scoring: S, truth: T) -> Matched:
        """Match predictions with the truth.

        Raises:
            RunError: They cannot be scored.
        """

    @abstractmethod
    def score_foreign(self, file: "ForeignFile[S]") -> "ForeignOutcome":
        """Score predictions of another framework.

        Raises:
            UsageError: An option that does not go with them, or that has to be given.
            ObtainError: They are missing, malformed or do not fit the annotations.
        """

    def foreign_scoring(self, scoring: S, options: Mapping[str, Any]) -> S:
        """Return how predictions of another framework are scored, given the options of `harness score`."""
        return scoring

    def needs(self, scoring: S) -> frozenset[str]:
        """Return the fields of annotations and images that it needs, besides those that each data set has."""
        return frozenset()

    def alternatives(self, scoring: S, dataset: str, sigmas: Mapping[str, tuple[float, ...]]) -> Iterator[OtherScoring]:
        """Yield other ways to score, which people mistake for this one.

        Args:
            scoring: The run's.
            dataset: The data set's name, as in `sigmas`.
            sigmas: Those of data sets with as many keypoints, by data set.
        """
        yield from ()

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return the figures of a row's page that it has besides those of every diagnosis."""
        return ()

    metafile_names: ClassVar[tuple[Mapping[str, str], ...]] = ({},)
    """What MMPose's metafiles call its metrics, where that is not our own name, and what we call them; one for each
    result that a metafile states of a model on one data set."""
    upstream_names: ClassVar[Mapping[str, str]]
    """What MMPose's evaluators call its metrics, without their prefix, and what we call them."""
    upstream_unit: ClassVar[float] = 1.0
    """What a 1 of MMPose's evaluator is: 0.01 where it states percent."""

    def our_name(self, upstream_name: str, scoring: S) -> str:
        """Return what we call a metric of MMPose's evaluators, whose name is without its prefix."""
        return self.upstream_names[upstream_name]

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return why MMPose's own evaluator cannot run here, perhaps on a part of the images; None where it can."""
        return None


def family_of(scoring: Scoring) -> Family[Any, Any]:
    """Return the family of a scoring."""
    found: Family[Any, Any] = plugin("metrics", scoring.metric, "scoring.metric")
    return found


class Scored(Interface):
    """What says how people are scored: a protocol, or that of foreign predictions."""

    @property
    def dataset(self) -> str:
        """MMPose's class that reads the annotations."""

    @property
    def annotations(self) -> DataFile:
        """The annotation file."""

    @property
    def num_keypoints(self) -> int:
        """Keypoints of a person."""

    @property
    def scoring(self) -> Scoring:
        """How they are scored."""


def truth_files(protocol: Scored, locate: Callable[[DataFile, str], Path]) -> TruthFiles:
    """Return the files that ground truth is read from; `locate` finds a file, given what it is."""
    scoring, family = protocol.scoring, family_of(protocol.scoring)
    return TruthFiles(
        annotations=locate(protocol.annotations, "the annotation file"),
        files=tuple((name, locate(file, family.files.get(name, name))) for name, file in scoring.files.items()),
        dataset=protocol.dataset,
        num_keypoints=protocol.num_keypoints,
        needs=family.needs(scoring),
    )
