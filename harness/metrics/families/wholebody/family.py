"""The family of whole-body AP and AR."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import one_of
from harness.metrics.families.oks import PLUGIN as OKS
from harness.metrics.families.wholebody.scoring import WholeBodyScoring
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


class WholeBody(Family[WholeBodyScoring, "Truth"]):
    """OKS-based AP and AR of body, feet, face, hands and the whole: COCO-WholeBody, UBody."""

    name = "wholebody"
    scoring = WholeBodyScoring
    measures = dict.fromkeys(_NAMES, Measure(undefined="no person has a labelled keypoint of it"))
    evaluators = ("CocoWholeBodyMetric",)
    settings = SELECTION_SETTINGS | {"use_area", "iou_type"}
    similarity = "OKS"
    foreign_options = frozenset({"score_mode", "nms"})
    metafile_names = ({f"{part.capitalize()} {mean}": f"{mean}({part})" for part in PARTS for mean in ("AP", "AR")},)
    # MMPose's evaluator returns the stats of the whole alone; xtcocotools only prints those of the parts.
    upstream_names = {theirs: OF_WHOLE[stat] for theirs, stat in OKS.upstream_names.items() if stat in OF_WHOLE}

    def read_scoring(
        self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> WholeBodyScoring:
        """Return the scoring of a config."""
        one_of(evaluator, "iou_type", "keypoints", ("keypoints",))
        return WholeBodyScoring(
            area="annotation" if one_of(evaluator, "use_area", True, (True, False)) else "box",
            **read_selection(evaluator, sigmas),
        )

    def needs(self, scoring: WholeBodyScoring) -> frozenset[str]:
        """Return the fields of annotations that the metric reads."""
        return frozenset({"visibility", *(("area",) if scoring.area == "annotation" else ())})

    def read_truth(self, source: TruthFiles) -> "Truth":
        """Read an annotation file in COCO-WholeBody's format."""
        from harness.metrics.families.wholebody.truth import load_wholebody

        return load_wholebody(source.annotations, areas="area" in source.needs)

    def restricted(self, truth: "Truth", image_ids: "Int64") -> "Truth":
        """Return the ground truth of some images: people without a prediction count, too."""
        return truth.restrict(image_ids)

    def match(self, predictions: "Predictions", scoring: WholeBodyScoring, truth: "Truth") -> "WholeBodyMatched":
        """Rescore predictions, suppress duplicates, and match them part by part."""
        from harness.metrics.families.wholebody.score import match_wholebody

        return match_wholebody(predictions, scoring, truth)

    def foreign_scoring(self, scoring: WholeBodyScoring, options: Mapping[str, Any]) -> WholeBodyScoring:
        """Return the scoring of external poses: unchanged, unless options select MMPose's rescoring or NMS."""
        return scoring.model_copy(update=selection_of_foreign(scoring, options))

    def score_foreign(self, file: "ForeignFile[WholeBodyScoring]") -> "ForeignOutcome":
        """Score a results file in COCO-WholeBody's format, or one with 133 keypoints in one list."""
        from harness.metrics.families.wholebody.foreign import score_results

        return score_results(file)

    def alternatives(
        self, scoring: WholeBodyScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield other selections of poses, and the other area rule."""
        yield from other_selections(scoring, dataset, sigmas)
        yield other(scoring, "area", "box" if scoring.area == "annotation" else "annotation", "area rule")

    def charts(self, diagnosis: "Diagnosis") -> "Sequence[Chart]":
        """Return precision over recall, of the whole and by part, and the gains of corrections."""
        from harness.metrics.families.oks.charts import corrections, precision_over_recall
        from harness.metrics.families.wholebody.charts import precision_by_part

        figures, parts = diagnosis.oks, diagnosis.parts
        of_parts = (precision_by_part(parts),) if parts else ()
        return (precision_over_recall(figures), *of_parts, corrections(figures)) if figures else of_parts

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return the reason if xtcocotools is missing, else None."""
        from harness.openmmlab import xtcocotools_ext

        if xtcocotools_ext.install() == "stand-in":
            return f"it needs the package xtcocotools: {xtcocotools_ext.INSTALL}"
        return None


PLUGIN = WholeBody()
