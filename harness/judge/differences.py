"""Differences between a run and a baseline, and their possible causes.

A cause is `shown` if undoing it gives the results of the other side, or if nothing else differs. It is `likely` if
records or predictions show it and the differences fit it. It is `possible` if other causes fit as well.
"""

from typing import Literal, Self

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
    "config",
    "arithmetic",
    "unknown",
]


class Cause(Fields):
    """A possible cause, with the measurements that support it."""

    kind: Kind
    text: str
    certainty: Certainty
    evidence: list[str] = []

    @classmethod
    def of(cls, kind: Kind, text: str, certainty: Certainty, *evidence: str) -> Self:
        """Return a cause with the sentences that support it."""
        return cls(kind=kind, text=text, certainty=certainty, evidence=list(evidence))


class Observed(Fields):
    """Measured differences between the predictions of a run and of a baseline, in the direction baseline to run."""

    people: int
    """Number of people in both runs."""
    only_new: int = 0
    only_old: int = 0
    images_only_old: int = 0
    """Number of images of the baseline in which the run has no person."""
    repeated: int = 0
    renamed: int = 0
    """Number of people of `only_new` with the keypoints of a person of `only_old`, in another image or box."""
    threshold: float | None = None
    """Box score between those of the missing people and those of the others; None if the two overlap."""
    smallest: float | None = None
    """The same with the areas of boxes, px^2."""
    boxes: str | None = None
    """How boxes differ; None if they are the same."""
    box_scores: str | None = None
    areas: str | None = None
    """How crop areas differ; None if they are the same."""
    moved_people: int = 0
    """Number of people with a keypoint or a keypoint score that differs."""
    moved_images: int = 0
    """Number of images with such people."""
    images: int = 0
    """Number of images with people in both runs."""
    whole_images: bool = False
    """Whether the predictions of most people in these images differ, by more than chance."""
    in_sequence: bool = False
    """Whether these images follow each other in the order of the baseline."""
    others_poses: int = 0
    """Number of people with the keypoints of another person of the baseline."""
    same_scores: bool = True
    """Whether the scores of the keypoints that differ are the same; the heatmaps are then the same."""
    score_change: float = 0.0
    """Median change of the scores of the keypoints that differ, as a fraction of the score."""
    slight: float = 0.0
    """Largest distance of a keypoint that counts as not moved, px."""
    moved_px: float = 0.0
    """Median distance of the keypoints that moved, px of the heatmap."""
    scores: str | None = None
    """How the keypoint scores differ if the keypoints are the same."""
    motions: list[tuple[str, str, bool]] = []
    """How the keypoints moved: kind, description, and whether it is exact for nearly all keypoints of the people that
    moved. The description states how many people moved if not all did."""
    metrics: dict[str, tuple[float | None, float | None]] = {}
    """Metrics that differ: value of the run, value of the baseline."""

    @property
    def same_people(self) -> bool:
        """Whether both runs have the same people with the same boxes."""
        return not (self.only_new or self.only_old or self.boxes)

    @property
    def same_predictions(self) -> bool:
        """Whether all predictions that the metrics depend on are the same."""
        return self.same_people and not (self.moved_people or self.box_scores or self.areas)


class Differences(Document):
    """The differences between a run and a baseline, with their possible causes."""

    row: str
    run: str
    baseline: str
    """The run folder of the baseline."""
    observed: Observed
    stated: list[Change]
    """Recorded differences of protocols, weights and environments."""
    causes: list[Cause]
    """The likeliest first."""
    untold: str | None
    """Why no cause is known; None if a cause is shown or likely, or if nothing differs."""
    notes: list[str] = []
    """What was not tried, with the reason."""
