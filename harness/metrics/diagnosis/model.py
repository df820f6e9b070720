"""The diagnosis of one run, `diagnosis.json` in its folder; what the report pages show."""

from typing import ClassVar, Literal

from harness.document import Document
from harness.fields import Fields

Kind = Literal["good", "jitter", "inversion", "swap", "miss"]
"""What became of a predicted keypoint; `harness.metrics.diagnosis.kinds` defines it."""
ErrorKind = Literal["jitter", "inversion", "swap", "miss"]
Correction = Literal["jitter", "inversion", "swap", "miss", "scores", "background"]
Point = tuple[float, float]


class Tally(Fields):
    """Labelled keypoints of people to be found, by what became of them."""

    good: int
    jitter: int
    inversion: int
    swap: int
    miss: int
    unpaired: int
    """Of people whom no pose was paired with."""

    @property
    def labelled(self) -> int:
        """All of them."""
        return self.predicted + self.unpaired

    @property
    def predicted(self) -> int:
        """Those of people whom a pose was paired with."""
        return self.good + self.jitter + self.inversion + self.swap + self.miss

    @property
    def shares(self) -> dict[Kind, float] | None:
        """Fractions of those predicted, with sum 1; None where there are none."""
        if not self.predicted:
            return None
        counts: dict[Kind, int] = {
            "good": self.good,
            "jitter": self.jitter,
            "inversion": self.inversion,
            "swap": self.swap,
            "miss": self.miss,
        }
        return {kind: count / self.predicted for kind, count in counts.items()}

    @property
    def found(self) -> float | None:
        """The share of all labelled ones that are good or jitter: PCK, at PCK's threshold or a similarity of 0.5."""
        return (self.good + self.jitter) / self.labelled if self.labelled else None


class Keypoint(Fields):
    """One of the K keypoints."""

    name: str
    tally: Tally
    similarity: float | None
    """Mean similarity of those predicted; None where there are none."""
    ap: float | None
    """AP of this keypoint alone, for OKS: poses are paired with people as they are, this keypoint of a pose is right
    where its similarity reaches the threshold, poses rank by their scores; mean over COCO's ten thresholds. Poses of
    people who do not have it labelled do not count. None for other metrics, and where nobody has it labelled."""
    error: float | None = None
    """Mean distance from where it is labelled, over the length that NME measures by, a fraction. None for other
    metrics, and where nobody counts who has it labelled."""


class Poses(Fields):
    """What became of the poses that were evaluated; each is in one of the first five counts."""

    paired: int
    """With a person to be found."""
    duplicates: int
    """Not paired, though 0.5 or more similar to a person to be found: somebody whom a better-scored pose took."""
    ignored: int
    """None of these, but where nobody is to be found: a crowd, people without keypoints, an ignore region."""
    nearby: int
    """None of these, but at least 0.1 similar to a person to be found."""
    background: int
    """Similar to nobody."""
    background_score: float | None
    """Mean score of those on the background; None where there are none."""

    @property
    def total(self) -> int:
        """All that were evaluated."""
        return self.paired + self.duplicates + self.ignored + self.nearby + self.background


class Group(Fields):
    """The people to be found in one circumstance."""

    name: str
    people: int
    missed: int | None
    """Whom no pose finds at a similarity of 0.5; None where every person has a pose by definition."""
    recall: float | None
    """AR of these people, whatever their size; None for metrics other than OKS and where there is nobody."""
    similarity: float | None
    """Mean similarity of the people with a pose; None where there is nobody."""
    tally: Tally
    ap: float | None = None
    """AP of a category that is evaluated alone; None for other groups."""


class Breakdown(Fields):
    """The people to be found, by a circumstance."""

    by: Literal["size", "crowding", "crowd index", "labelled keypoints", "hidden keypoints", "part", "category"]
    unit: Literal["px", "px²"] | None
    """Of a size."""
    bounds: tuple[float, ...]
    """Group i holds the people with bounds[i - 1] <= value < bounds[i]; there are none for parts."""
    groups: tuple[Group, ...]
    """One more than bounds; of parts, those with a labelled keypoint of each, found or missed by that part alone."""


class Curve(Fields):
    """Precision over recall at one OKS threshold."""

    threshold: float
    precision: tuple[float, ...]
    """At recall 0, 0.01 … 1: the best precision at this recall or a higher one."""


class OksFigures(Fields):
    """AP, and what it could be."""

    ap: float
    """As the record has it."""
    corrected_ap: dict[Correction, float]
    """AP if all errors of one kind, and only they, were corrected. Keypoints are put where they are labelled, which is
    the most that can be gained (the paper moves jitter to a similarity of 0.85 and misses to 0.5); NMS and scores stay
    as they were. `scores`: every pose is scored by its highest OKS with a person to be found. `background`: poses on
    the background are dropped."""
    curves: tuple[Curve, ...]
    """At OKS 0.5, 0.75 and 0.9."""


class Case(Fields):
    """One person, with all that it takes to draw the pose and the truth."""

    annotation_id: int | None
    """MPII has no ids: index in its annotation file. None on PoseTrack18, whose scorer does not keep them."""
    image_id: int
    image: str | None
    """File name, as the annotation file has it."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 of the person, image px; of the labelled keypoints where the truth has no boxes."""
    similarity: float
    """OKS, or the mean similarity of the labelled keypoints."""
    dominating: ErrorKind | None
    """The most frequent error, of equally frequent ones the gravest; None where all is good."""
    kinds: tuple[Kind | None, ...]
    """By keypoint; None where it is not labelled."""
    predicted: tuple[Point, ...]
    """By keypoint, image px."""
    labelled: tuple[Point | None, ...]
    """By keypoint, image px; None where it is not labelled."""


class Diagnosis(Document):
    """Errors of one run's predictions.

    A similarity is OKS for the metric `oks`; for the others, whose distances are measured by the head, the person or
    the face, it is a bell of the distance that is 0.5 at the metric's threshold.
    """

    title: ClassVar[str] = "diagnosis"
    metric: str
    """The family's name."""
    people: int
    """To be found."""
    missed: int | None
    """Whom no pose finds at a similarity of 0.5; None where every person has a pose by definition."""
    poses: Poses | None
    """None where every pose belongs to a person by definition."""
    tally: Tally
    """Over all keypoints that the metric counts."""
    hidden: Tally | None
    """Those of them that are labelled as hidden; None where the truth does not tell."""
    keypoints: tuple[Keypoint, ...]
    """In the order of the data set; on PoseTrack18 without the ears, which are not annotated."""
    breakdowns: tuple[Breakdown, ...]
    histogram: tuple[int, ...]
    """People with a pose by its similarity: 20 bins from 0 to 1."""
    oks: OksFigures | None
    """None for other metrics, and where nobody is to be found."""
    parts: dict[str, tuple[float, ...]] = {}
    """For whole-body AP, the mean precision over the OKS thresholds at recall 0, 0.01 … 1, by part."""
    worst: tuple[Case, ...]
    """Up to 12 people with a pose, the least similar first."""
    median: tuple[Case, ...]
    """Up to 6 people with a pose, around the median similarity."""

    @property
    def has_errors(self) -> bool:
        """Whether the metric gives an error of any keypoint."""
        return any(keypoint.error is not None for keypoint in self.keypoints)

    @property
    def by_category(self) -> bool:
        """Whether AP is the mean over several categories."""
        return any(one.by == "category" for one in self.breakdowns)
