"""The family of OKS-based AP and AR."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import one_of
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Family, Identify, OtherScoring, TruthFiles
from harness.metrics.pose_selection import (
    SELECTION_SETTINGS,
    other,
    other_selections,
    read_selection,
    selection_of_foreign,
)

if TYPE_CHECKING:
    from harness.arrays import Int64
    from harness.metrics.diagnosis.chart import Chart
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.families.oks.score import OksMatched
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.metrics.truth import Truth
    from harness.predictions import Predictions

_FRACTION = Measure(undefined="there are no people to find")
STATS = ("AP", "AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.5", "AR@0.75", "AR(M)", "AR(L)", "AP(E)", "AP(H)")
"""COCO's ten, then CrowdPose's in place of the two sizes; CrowdPose's AP(M) is for images of medium crowd index."""
SPELT_OTHERWISE = {"AP .5": "AP@0.5", "AP .75": "AP@0.75", "AR .5": "AR@0.5", "AR .75": "AR@0.75"}


class Oks(Family[OksScoring, "Truth"]):
    """OKS-based AP and AR: COCO, CrowdPose, AIC, Human-Art."""

    name = "oks"
    scoring = OksScoring
    measures = dict.fromkeys(STATS, _FRACTION)
    evaluators = ("CocoMetric",)
    settings = SELECTION_SETTINGS | {"use_area", "iou_type"}
    similarity = "OKS"
    foreign_options = frozenset({"score_mode", "nms"})
    upstream_names = (
        {name: name for name in STATS}
        | SPELT_OTHERWISE
        | {f"{mean} ({size})": f"{mean}({size})" for mean in ("AP", "AR") for size in ("M", "L")}
    )

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> OksScoring:
        """Return the scoring of a config."""
        return OksScoring(
            area="annotation" if one_of(evaluator, "use_area", True, (True, False)) else "box",
            crowd=one_of(evaluator, "iou_type", "keypoints", ("keypoints", "keypoints_crowd")) == "keypoints_crowd",
            **read_selection(evaluator, sigmas),
        )

    def needs(self, scoring: OksScoring) -> frozenset[str]:
        """Return the fields of annotations and images that the metric reads."""
        areas = {"area"} if scoring.area == "annotation" else set()
        return frozenset(areas | {"visibility"} | ({"crowdIndex", "num_keypoints"} if scoring.crowd else set()))

    def read_truth(self, source: TruthFiles) -> "Truth":
        """Read a COCO-style annotation file."""
        from harness.metrics.truth import load_truth

        areas, crowd = "area" in source.needs, "crowdIndex" in source.needs
        return load_truth(source.annotations, source.num_keypoints, areas=areas, crowd=crowd)

    def restricted(self, truth: "Truth", image_ids: "Int64") -> "Truth":
        """Return the ground truth of some images: people without a prediction count, too."""
        return truth.restrict(image_ids)

    def match(self, predictions: "Predictions", scoring: OksScoring, truth: "Truth") -> "OksMatched":
        """Rescore predictions, suppress duplicates, and match them."""
        from harness.metrics.families.oks.score import match_oks

        return match_oks(predictions, scoring, truth)

    def foreign_scoring(self, scoring: OksScoring, options: Mapping[str, Any]) -> OksScoring:
        """Return the scoring of external poses: unchanged, unless options select MMPose's rescoring or NMS."""
        return scoring.model_copy(update=selection_of_foreign(scoring, options))

    def score_foreign(self, file: "ForeignFile[OksScoring]") -> "ForeignOutcome":
        """Score a COCO results file."""
        from harness.metrics.families.oks.foreign import score_results

        return score_results(file)

    def alternatives(
        self, scoring: OksScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield other selections of poses, and the other area rule."""
        yield from other_selections(scoring, dataset, sigmas)
        yield other(scoring, "area", "box" if scoring.area == "annotation" else "annotation", "area rule")

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return precision over recall, and the gains of corrections."""
        from harness.metrics.families.oks.charts import corrections, precision_over_recall

        figures = diagnosis.oks
        return (precision_over_recall(figures), corrections(figures)) if figures else ()

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return the reason if xtcocotools is missing, else None."""
        from harness.openmmlab import xtcocotools_ext

        if xtcocotools_ext.install() == "stand-in":
            return f"it needs the package xtcocotools: {xtcocotools_ext.INSTALL}"
        return None


PLUGIN = Oks()
