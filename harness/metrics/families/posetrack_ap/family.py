"""The family of PoseTrack18's AP."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.measures import Measure
from harness.metrics.families.posetrack_ap.scoring import PoseTrackScoring
from harness.metrics.family import Family, Identify, OtherScoring, TruthFiles
from harness.metrics.pose_selection import (
    SELECTION_SETTINGS,
    other_selections,
    read_selection,
    selection_of_foreign,
)
from harness.suites.data_paths import without_data_root

if TYPE_CHECKING:
    from harness.arrays import Int64
    from harness.metrics.families.posetrack_ap.score import PoseTrackMatched
    from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.predictions import Predictions

KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SPELT_BY_MMPOSE = ("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl")


class PoseTrackAp(Family[PoseTrackScoring, "PoseTrackTruth"]):
    """AP of each joint: PoseTrack18."""

    name = "posetrack-ap"
    scoring = PoseTrackScoring
    measures = dict.fromkeys(
        ("AP", *(f"AP({kind})" for kind in KINDS)), Measure(undefined="there are no people to find")
    )
    evaluators = ("PoseTrack18Metric",)
    settings = SELECTION_SETTINGS
    files = {"sequences": "the per-sequence ground truth"}
    foreign_options = frozenset({"score_mode", "nms"})
    metafile_names = (
        {"Total": "AP"} | {short: f"AP({kind})" for short, kind in zip(SPELT_BY_MMPOSE, KINDS, strict=True)},
    )
    upstream_names = {"AP": "AP"} | {
        f"{short} AP": f"AP({kind})" for short, kind in zip(SPELT_BY_MMPOSE, KINDS, strict=True)
    }
    upstream_unit = 0.01

    def read_scoring(
        self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> PoseTrackScoring:
        """Return the scoring of a config; the path of the sequences is that of PoseTrack18Metric."""
        annotations = PurePosixPath(without_data_root(evaluator.ann_file))  # posetrack18_val.json -> val/
        sequences = str(annotations.parent / annotations.stem.split("_")[-1])
        return PoseTrackScoring(
            sequences=identify(sequences, "the per-sequence ground truth"), **read_selection(evaluator, sigmas)
        )

    def read_truth(self, source: TruthFiles) -> "PoseTrackTruth":
        """Read the per-sequence annotation files."""
        from harness.metrics.families.posetrack_ap.truth import load_posetrack

        return load_posetrack(source.file("sequences"))

    def restricted(self, truth: "PoseTrackTruth", image_ids: "Int64") -> "PoseTrackTruth":
        """Return the ground truth of some frames: people without a prediction count, too."""
        return truth.restrict(image_ids)

    def match(
        self, predictions: "Predictions", scoring: PoseTrackScoring, truth: "PoseTrackTruth"
    ) -> "PoseTrackMatched":
        """Rescore predictions, suppress duplicates and assign poses to people."""
        from harness.metrics.families.posetrack_ap.score import match_posetrack

        return match_posetrack(predictions, scoring, truth)

    def foreign_scoring(self, scoring: PoseTrackScoring, options: Mapping[str, Any]) -> PoseTrackScoring:
        """Return the scoring of external poses: unchanged, unless options select MMPose's rescoring or NMS."""
        changed = selection_of_foreign(scoring, options)
        if options.get("score_mode") and changed["nms"] == "none":
            raise UsageError("--score-mode has no effect here without --nms: joints rank by their own scores")
        return scoring.model_copy(update=changed)

    def score_foreign(self, file: "ForeignFile[PoseTrackScoring]") -> "ForeignOutcome":
        """Score a folder with PoseTrack18's official file for each sequence."""
        from harness.metrics.families.posetrack_ap.foreign import score_sequences

        return score_sequences(file)

    def alternatives(
        self, scoring: PoseTrackScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield other selections of poses."""
        return other_selections(scoring, dataset, sigmas)

    def why_upstream_cannot(self, limited: bool) -> str | None:
        """Return the reason if poseval is missing or would need all images, else None."""
        if find_spec("poseval") is None:
            return "it needs the package poseval"
        return "it needs all images" if limited else None


PLUGIN = PoseTrackAp()
