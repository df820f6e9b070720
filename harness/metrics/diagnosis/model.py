"""The diagnosis of one run: `diagnosis.json` in its folder, which the report pages show."""

from typing import ClassVar, Literal

from harness.document import Document
from harness.fields import Fields

Kind = Literal["good", "jitter", "inversion", "swap", "miss"]
"""The kind of a predicted keypoint; `harness.metrics.diagnosis.kinds` defines it."""
ErrorKind = Literal["jitter", "inversion", "swap", "miss"]
Correction = Literal["jitter", "inversion", "swap", "miss", "scores", "background"]
Point = tuple[float, float]


class Tally(Fields):
    """Numbers of labelled keypoints of the people to find, by kind."""

    good: int
    jitter: int
    inversion: int
    swap: int
    miss: int
    unpaired: int
    """Keypoints of people without a paired pose."""

    @property
    def labelled(self) -> int:
        """All labelled keypoints."""
        return self.predicted + self.unpaired

    @property
    def predicted(self) -> int:
        """Keypoints of people with a paired pose."""
        return self.good + self.jitter + self.inversion + self.swap + self.miss

    @property
    def shares(self) -> dict[Kind, float] | None:
        """Fraction of each kind among the predicted keypoints, with sum 1; None if there are none."""
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
        """Fraction of labelled keypoints that are good or jitter: PCK, at PCK's threshold or at a similarity of 0.5."""
        return (self.good + self.jitter) / self.labelled if self.labelled else None


class Keypoint(Fields):
    """One of the K keypoints."""

    name: str
    tally: Tally
    similarity: float | None
    """Mean similarity of the predicted keypoints; None if there are none."""
    ap: float | None
    """AP of this keypoint alone, for OKS. Poses keep their paired people and rank by their scores; the keypoint of a
    pose is correct if its similarity reaches the threshold; AP is the mean over COCO's ten thresholds. Poses of people
    without a label of it do not count. None for other metrics, and for a keypoint without labels."""
    error: float | None = None
    """Mean distance from the labelled location in units of NME's norm, a fraction. None for other metrics, and for a
    keypoint without labels that count."""


class Poses(Fields):
    """Numbers of evaluated poses; each pose is in the first of the five counts that applies."""

    paired: int
    """Paired with a person to find."""
    duplicates: int
    """Similarity of 0.5 or more to a person to find, who is paired with a pose of higher score."""
    ignored: int
    """On a crowd, on people without keypoints, or in an ignore region, where no person counts."""
    nearby: int
    """Similarity of 0.1 or more to a person to find."""
    background: int
    """Not similar to any person."""
    background_score: float | None
    """Mean score of the poses on the background; None if there are none."""

    @property
    def total(self) -> int:
        """All evaluated poses."""
        return self.paired + self.duplicates + self.ignored + self.nearby + self.background


class Group(Fields):
    """One group of the people to find."""

    name: str
    people: int
    missed: int | None
    """People without a pose of similarity 0.5 or more; None if every person has a pose by definition."""
    recall: float | None
    """AR of these people, of all sizes; None for metrics other than OKS, and for an empty group."""
    similarity: float | None
    """Mean similarity of the people with a pose; None if there are none."""
    tally: Tally
    ap: float | None = None
    """AP of a category that is evaluated alone; None for other groups."""


class Breakdown(Fields):
    """The people to find, grouped by a circumstance."""

    by: Literal["size", "crowding", "crowd index", "labelled keypoints", "hidden keypoints", "part", "category"]
    unit: Literal["px", "px²"] | None
    """Unit of the bounds, for sizes."""
    bounds: tuple[float, ...]
    """Group i holds the people with bounds[i - 1] <= value < bounds[i]; parts have no bounds."""
    groups: tuple[Group, ...]
    """One more than bounds. For parts, a group has the people with a labelled keypoint of the part, found or missed by
    that part alone."""


class Curve(Fields):
    """Precision over recall at one OKS threshold."""

    threshold: float
    precision: tuple[float, ...]
    """At recall 0, 0.01 … 1: the best precision at this recall or a higher one."""


class OksFigures(Fields):
    """AP, and AP after corrections."""

    ap: float
    """The value in the record."""
    corrected_ap: dict[Correction, float]
    """AP after the correction of all errors of one kind alone. Keypoints move to their labelled location, which is the
    largest possible gain (the paper moves jitter to a similarity of 0.85 and misses to 0.5); NMS and scores do not
    change. `scores`: a pose's score is its highest OKS with a person to find. `background`: poses on the background are
    dropped."""
    curves: tuple[Curve, ...]
    """At OKS 0.5, 0.75 and 0.9."""


class Case(Fields):
    """One person, with all values for drawing the pose and the ground truth."""

    annotation_id: int | None
    """For MPII, which has no ids, the index in its annotation file. None on PoseTrack18, whose scorer drops the ids."""
    image_id: int
    image: str | None
    """File name in the annotation file."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 of the person, image px; the extent of the labelled keypoints if the ground truth has no boxes."""
    similarity: float
    """OKS, or the mean similarity of the labelled keypoints."""
    dominating: ErrorKind | None
    """The most frequent error, of equally frequent ones the most severe; None if all keypoints are good."""
    kinds: tuple[Kind | None, ...]
    """By keypoint; None for one that is not labelled."""
    predicted: tuple[Point, ...]
    """By keypoint, image px."""
    labelled: tuple[Point | None, ...]
    """By keypoint, image px; None for one that is not labelled."""


class Diagnosis(Document):
    """Errors of one run's predictions.

    A similarity is OKS for the metric `oks`. For other metrics, whose norm is the head, the person or the face, it is a
    Gaussian of the distance with the value 0.5 at the metric's threshold.
    """

    title: ClassVar[str] = "diagnosis"
    metric: str
    """The family's name."""
    people: int
    """Number of people to find."""
    missed: int | None
    """People without a pose of similarity 0.5 or more; None if every person has a pose by definition."""
    poses: Poses | None
    """None if every pose belongs to a person by definition."""
    tally: Tally
    """All keypoints that the metric counts."""
    hidden: Tally | None
    """Keypoints that are labelled as hidden; None if the ground truth does not mark them."""
    keypoints: tuple[Keypoint, ...]
    """In the order of the data set; on PoseTrack18 without the ears, which are not annotated."""
    breakdowns: tuple[Breakdown, ...]
    histogram: tuple[int, ...]
    """Numbers of people by the similarity of their pose: 20 bins from 0 to 1."""
    oks: OksFigures | None
    """None for other metrics, and if there are no people to find."""
    parts: dict[str, tuple[float, ...]] = {}
    """For whole-body AP, the mean precision over the OKS thresholds at recall 0, 0.01 … 1, by part."""
    worst: tuple[Case, ...]
    """Up to 12 people with a pose, the least similar first."""
    median: tuple[Case, ...]
    """Up to 6 people with a pose, around the median similarity."""

    @property
    def has_errors(self) -> bool:
        """Whether at least one keypoint has an error value."""
        return any(keypoint.error is not None for keypoint in self.keypoints)

    @property
    def by_category(self) -> bool:
        """Whether AP is the mean over several categories."""
        return any(one.by == "category" for one in self.breakdowns)
