"""The family of JHMDB's PCK."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import number, one_of
from harness.metrics.families.jhmdb_pck.scoring import JhmdbScoring
from harness.metrics.family import Family, Identify, OtherScoring, TruthFiles

if TYPE_CHECKING:
    from harness.metrics.families.jhmdb_pck.score import JhmdbMatched
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.metrics.truth import Truth
    from harness.predictions import Predictions

KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SPELT_BY_MMPOSE = ("Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank")
NORMS = {"PCK": "person", "tPCK": "torso"}
"""The normalisation of distances by the name of MMPose's metric."""

THRESHOLDS = (0.05, 0.1, 0.2, 0.5)
"""Thresholds of PCK in papers."""
USUAL = 0.2
"""The threshold of MMPose's JHMDB configs; the default of its evaluator is 0.05."""


class JhmdbPck(Family[JhmdbScoring, "Truth"]):
    """PCK by person size and by torso size: JHMDB."""

    name = "jhmdb-pck"
    scoring = JhmdbScoring
    measures = dict.fromkeys(
        (f"PCK({norm})" for norm in NORMS.values()), Measure(undefined="no person shows a joint")
    ) | dict.fromkeys(
        (f"PCK({norm}, {kind})" for norm in NORMS.values() for kind in KINDS),
        Measure(undefined="no person shows the joint"),
    )
    evaluators = ("JhmdbPCKAccuracy",)
    settings = frozenset({"thr", "norm_item"})
    foreign_options = frozenset({"array", "one_based"})
    metafile_names = tuple(
        {"Mean": f"PCK({norm})"}
        | {short: f"PCK({norm}, {kind})" for short, kind in zip(SPELT_BY_MMPOSE, KINDS, strict=True)}
        for norm in NORMS.values()
    )
    upstream_names = {key: f"PCK({norm})" for key, norm in NORMS.items()} | {
        f"{short} {key}": f"PCK({norm}, {kind})"
        for short, kind in zip(SPELT_BY_MMPOSE, KINDS, strict=True)
        for key, norm in NORMS.items()
    }

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> JhmdbScoring:
        """Return the scoring with the threshold of a config's evaluator.

        Raises:
            SpecError: A setting has a value that this metric does not support.
        """
        one_of(evaluator, "norm_item", "bbox", ("bbox", "torso", ["bbox"], ["torso"], ["bbox", "torso"]))
        return JhmdbScoring(threshold=number(evaluator, "thr", 0.05))

    def read_truth(self, source: TruthFiles) -> "Truth":
        """Read a COCO-style annotation file."""
        from harness.metrics.truth import load_truth

        return load_truth(source.annotations, source.num_keypoints)

    def match(self, predictions: "Predictions", scoring: JhmdbScoring, truth: "Truth") -> "JhmdbMatched":
        """Return which keypoints count and which of them are within the threshold."""
        from harness.metrics.families.jhmdb_pck.score import match_jhmdb

        return match_jhmdb(predictions, scoring, truth)

    def score_foreign(self, file: "ForeignFile[JhmdbScoring]") -> "ForeignOutcome":
        """Score an array of keypoints in the order of the annotations."""
        from harness.metrics.families.jhmdb_pck.foreign import score_array

        return score_array(file)

    def alternatives(
        self, scoring: JhmdbScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield other thresholds."""
        for threshold in THRESHOLDS:
            if threshold != scoring.threshold:
                used, tried = f"{scoring.threshold:g}", f"{threshold:g}"
                yield OtherScoring("PCK threshold", used, tried, {"threshold": threshold}, usual=threshold == USUAL)


PLUGIN = JhmdbPck()
