"""The part that is common to the families of OKS-based AP: MMPose's CocoMetric and CocoWholeBodyMetric."""

from abc import ABC
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness.metrics.evaluator import one_of
from harness.metrics.family import Family, OtherScoring
from harness.metrics.pose_selection import (
    SELECTION_SETTINGS,
    other,
    other_selections,
    read_selection,
    selection_of_foreign,
)
from harness.protocol import PoseSelection

if TYPE_CHECKING:
    from harness.arrays import Int64
    from harness.metrics.truth import Truth


class AreaSelection(PoseSelection):
    """The selection of poses, and the object scale of OKS."""

    area: Literal["annotation", "box"]
    """Object scale: the annotation's area, or 0.53 times its box (data sets without areas)."""


S = TypeVar("S", bound=AreaSelection)


def read_area_selection(evaluator: Any, sigmas: tuple[float, ...]) -> dict[str, Any]:
    """Return the fields of `AreaSelection` that a config's evaluator states; raises as `read_selection`."""
    area = "annotation" if one_of(evaluator, "use_area", True, (True, False)) else "box"
    return {"area": area, **read_selection(evaluator, sigmas)}


class OksFamily(Family[S, "Truth"], ABC):
    """A family whose poses are selected as by CocoMetric and matched with people by OKS."""

    settings = SELECTION_SETTINGS | {"use_area", "iou_type"}
    similarity = "OKS"
    foreign_options = frozenset({"score_mode", "nms"})

    def restricted(self, truth: "Truth", image_ids: "Int64") -> "Truth":
        """Return the ground truth of some images: people without a prediction count, too."""
        return truth.restrict(image_ids)

    def foreign_scoring(self, scoring: S, options: Mapping[str, Any]) -> S:
        """Return the scoring of external poses: unchanged, unless options select MMPose's rescoring or NMS."""
        return scoring.model_copy(update=selection_of_foreign(scoring, options))

    def alternatives(self, scoring: S, dataset: str, sigmas: Mapping[str, tuple[float, ...]]) -> Iterator[OtherScoring]:
        """Yield other selections of poses, and the other area rule."""
        yield from other_selections(scoring, dataset, sigmas)
        yield other(scoring, "area", "box" if scoring.area == "annotation" else "annotation", "area rule")

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return the reason if xtcocotools is missing, else None."""
        from harness.openmmlab import xtcocotools_ext

        if xtcocotools_ext.install() == "stand-in":
            return f"it needs the package xtcocotools: {xtcocotools_ext.INSTALL}"
        return None
