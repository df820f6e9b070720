"""The family of OKS-based AP and AR."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import one_of
from harness.metrics.families.oks.scoring import OksScoring
from harness.metrics.family import Identify, TruthFiles
from harness.metrics.oks_family import OksFamily, read_area_selection

if TYPE_CHECKING:
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


class Oks(OksFamily[OksScoring]):
    """OKS-based AP and AR: COCO, CrowdPose, AIC, Human-Art."""

    name = "oks"
    scoring = OksScoring
    measures = dict.fromkeys(STATS, _FRACTION)
    evaluators = ("CocoMetric",)
    upstream_names = (
        {name: name for name in STATS}
        | SPELT_OTHERWISE
        | {f"{mean} ({size})": f"{mean}({size})" for mean in ("AP", "AR") for size in ("M", "L")}
    )

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> OksScoring:
        """Return the scoring of a config."""
        return OksScoring(
            crowd=one_of(evaluator, "iou_type", "keypoints", ("keypoints", "keypoints_crowd")) == "keypoints_crowd",
            **read_area_selection(evaluator, sigmas),
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

    def match(self, predictions: "Predictions", scoring: OksScoring, truth: "Truth") -> "OksMatched":
        """Rescore predictions, suppress duplicates, and match them."""
        from harness.metrics.families.oks.score import match_oks

        return match_oks(predictions, scoring, truth)

    def score_foreign(self, file: "ForeignFile[OksScoring]") -> "ForeignOutcome":
        """Score a COCO results file."""
        from harness.metrics.families.oks.foreign import score_results

        return score_results(file)

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return precision over recall, and the gains of corrections."""
        from harness.metrics.families.oks.charts import corrections, precision_over_recall

        figures = diagnosis.oks
        return (precision_over_recall(figures), corrections(figures)) if figures else ()


PLUGIN = Oks()
