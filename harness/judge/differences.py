"""How a run differs from a baseline, and what may be the cause.

A cause is `shown` where undoing it gives the other side, or where nothing else differs; `likely` where it is on record
and what differs fits; `possible` where others fit as well.
"""

from typing import Literal

from harness.document import Document
from harness.fields import Fields
from harness.judge.comparison import Change

Certainty = Literal["shown", "likely", "possible"]
Kind = Literal[
    "weights",
    "image content",
    "normalisation",
    "flip test",
    "decoding",
    "crop geometry",
    "boxes",
    "people",
    "ground truth",
    "scoring",
    "keypoint order",
    "map back to the image",
    "arithmetic",
    "unknown",
]


class Cause(Fields):
    """What may be the cause, and what was measured that says so."""

    kind: Kind
    text: str
    certainty: Certainty
    evidence: list[str] = []


class Observed(Fields):
    """What was measured of the predictions of both sides; numbers are of the run, seen from the baseline."""

    people: int
    """Who is on both sides."""
    only_new: int = 0
    only_old: int = 0
    images_only_old: int = 0
    """Images of the baseline in which the run has nobody."""
    repeated: int = 0
    threshold: float | None = None
    """The box score that separates who is missing from who is there; None where none does."""
    boxes: str | None = None
    """How boxes differ; None where they do not."""
    box_scores: str | None = None
    areas: str | None = None
    """How crop areas differ."""
    moved_people: int = 0
    """People with a keypoint, or its score, that is another one."""
    moved_images: int = 0
    """Images with such people,"""
    images: int = 0
    """of so many."""
    whole_images: bool = False
    """Whether in these images most people are other ones."""
    same_scores: bool = True
    """Whether the keypoints' scores are the same although the keypoints are not: then the heatmaps are the same."""
    score_change: float = 0.0
    """How much the score of a keypoint changed, in the median, as a share of it."""
    scores: str | None = None
    """How the keypoints' scores differ where the keypoints do not."""
    motions: list[tuple[str, str, bool]] = []
    """Kind, sentence, and whether it gives all keypoints, of what moves the keypoints."""
    metrics: dict[str, tuple[float | None, float | None]] = {}
    """Those that differ: of the run, of the baseline."""

    @property
    def same_people(self) -> bool:
        """Whether both sides have the same people with the same boxes."""
        return not (self.only_new or self.only_old or self.boxes)

    @property
    def same_predictions(self) -> bool:
        """Whether everything is the same that metrics are made from, ground truth aside."""
        return self.same_people and not (self.moved_people or self.box_scores or self.areas)


class Differences(Document):
    """A run, a baseline, how they differ, and what that says of the cause."""

    row: str
    run: str
    baseline: str
    """The run folder of the baseline."""
    observed: Observed
    stated: list[Change]
    """What their protocols, weights and environments say."""
    causes: list[Cause]
    """The likeliest first."""
    untold: str | None
    """What cannot be told; None where the cause is shown."""
    notes: list[str] = []
    """What was not tried, and why."""
