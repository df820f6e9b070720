"""The family of PCKh."""

from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.evaluator import one_of
from harness.metrics.families.pckh.scoring import PckhScoring
from harness.metrics.family import Family, Identify, TruthFiles
from harness.suites.data_paths import without_data_root

if TYPE_CHECKING:
    from harness.metrics.families.pckh.score import MpiiMatched
    from harness.metrics.families.pckh.truth import MpiiTruth
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.predictions import Predictions

KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


class Pckh(Family[PckhScoring, "MpiiTruth"]):
    """PCKh: MPII."""

    name = "pckh"
    scoring = PckhScoring
    measures = dict.fromkeys(
        ("PCKh@0.5", "PCKh@0.1", *(f"PCKh@0.5({kind})" for kind in KINDS)),
        Measure(undefined="no person shows the joint"),
    )
    evaluators = ("MpiiPCKAccuracy",)
    settings = frozenset({"thr", "norm_item"})
    files = {"headboxes": "the head box file"}
    foreign_options = frozenset({"array", "one_based"})
    metafile_names = ({"Mean": "PCKh@0.5", "Mean@0.1": "PCKh@0.1"},)
    upstream_names = {"PCK": "PCKh@0.5", "PCK@0.1": "PCKh@0.1"} | {
        f"{kind.capitalize()} PCK": f"PCKh@0.5({kind})" for kind in KINDS
    }
    upstream_unit = 0.01

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> PckhScoring:
        """Return the scoring of a config, with the head boxes that are its norm."""
        one_of(evaluator, "thr", 0.5, (0.5,))
        one_of(evaluator, "norm_item", "head", ("head", ["head"]))
        return PckhScoring(headboxes=identify(without_data_root(dataset.headbox_file), "the head box file"))

    def read_truth(self, source: TruthFiles) -> "MpiiTruth":
        """Read MPII's joints and head boxes."""
        from harness.metrics.families.pckh.truth import load_mpii

        return load_mpii(source.annotations, source.file("headboxes"))

    def match(self, predictions: "Predictions", scoring: PckhScoring, truth: "MpiiTruth") -> "MpiiMatched":
        """Return which keypoints count and are found."""
        from harness.metrics.families.pckh.score import match_mpii

        return match_mpii(predictions, truth)

    def score_foreign(self, file: "ForeignFile[PckhScoring]") -> "ForeignOutcome":
        """Score an array of keypoints in the order of the annotations."""
        import numpy as np

        from harness.metrics.families.pckh.score import match_mpii
        from harness.metrics.foreign_poses import as_predictions, read_people, score_people

        truth = self.read_truth(file.source)
        count = len(truth.joints)
        nowhere = np.zeros((count, 4), np.float32)
        keypoints, predicted, warnings = read_people(file, count, truth.joints)
        found = as_predictions(np.arange(count), np.zeros(count, np.int64), nowhere, keypoints)
        return score_people(found, predicted, warnings, lambda people: match_mpii(people, truth))


PLUGIN = Pckh()
