"""The family of whole-body AP and AR."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import one_of
from harness.metrics.families.oks import PLUGIN as OKS
from harness.metrics.families.wholebody.scoring import WholeBodyScoring
from harness.metrics.family import Identify, TruthFiles
from harness.metrics.oks_family import OksFamily, read_area_selection

if TYPE_CHECKING:
    from harness.metrics.diagnosis.chart import Chart
    from harness.metrics.diagnosis.model import Diagnosis
    from harness.metrics.families.wholebody.score import WholeBodyMatched
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.metrics.truth import Truth
    from harness.predictions import Predictions

PARTS = ("whole", "body", "foot", "face", "hand", "lefthand", "righthand")
OF_WHOLE = {"AP": "AP(whole)", "AR": "AR(whole)"} | {
    f"{mean}{of}": f"{mean}{of_whole}"
    for mean in ("AP", "AR")
    for of, of_whole in (
        ("@0.5", "(whole)@0.5"),
        ("@0.75", "(whole)@0.75"),
        ("(M)", "(whole, M)"),
        ("(L)", "(whole, L)"),
    )
}
"""COCO's names of stats, and the harness's names for those of all 133 keypoints."""
_NAMES = dict.fromkeys((*(f"{mean}({part})" for part in PARTS for mean in ("AP", "AR")), *OF_WHOLE.values()))


class WholeBody(OksFamily[WholeBodyScoring]):
    """OKS-based AP and AR of body, feet, face, hands and the whole: COCO-WholeBody, UBody."""

    name = "wholebody"
    scoring = WholeBodyScoring
    measures = dict.fromkeys(_NAMES, Measure(undefined="no person has a labelled keypoint of it"))
    evaluators = ("CocoWholeBodyMetric",)
    metafile_names = ({f"{part.capitalize()} {mean}": f"{mean}({part})" for part in PARTS for mean in ("AP", "AR")},)
    # MMPose's evaluator returns the stats of the whole alone; xtcocotools only prints those of the parts.
    upstream_names = {theirs: OF_WHOLE[stat] for theirs, stat in OKS.upstream_names.items() if stat in OF_WHOLE}

    def read_scoring(
        self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> WholeBodyScoring:
        """Return the scoring of a config."""
        one_of(evaluator, "iou_type", "keypoints", ("keypoints",))
        return WholeBodyScoring(
            **read_area_selection(evaluator, sigmas),
        )

    def needs(self, scoring: WholeBodyScoring) -> frozenset[str]:
        """Return the fields of annotations that the metric reads."""
        return frozenset({"visibility", *(("area",) if scoring.area == "annotation" else ())})

    def read_truth(self, source: TruthFiles) -> "Truth":
        """Read an annotation file in COCO-WholeBody's format."""
        from harness.metrics.families.wholebody.truth import load_wholebody

        return load_wholebody(source.annotations, areas="area" in source.needs)

    def match(self, predictions: "Predictions", scoring: WholeBodyScoring, truth: "Truth") -> "WholeBodyMatched":
        """Rescore predictions, suppress duplicates, and match them part by part."""
        from harness.metrics.families.wholebody.score import match_wholebody

        return match_wholebody(predictions, scoring, truth)

    def score_foreign(self, file: "ForeignFile[WholeBodyScoring]") -> "ForeignOutcome":
        """Score a results file in COCO-WholeBody's format, or one with 133 keypoints in one list."""
        from harness.metrics.families.wholebody.foreign import score_results

        return score_results(file)

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return precision over recall, of the whole and by part, and the gains of corrections."""
        from harness.metrics.families.oks.charts import corrections, precision_over_recall
        from harness.metrics.families.wholebody.charts import precision_by_part

        figures, parts = diagnosis.oks, diagnosis.parts
        of_parts = (precision_by_part(parts),) if parts else ()
        return (precision_over_recall(figures), *of_parts, corrections(figures)) if figures else of_parts


PLUGIN = WholeBody()
