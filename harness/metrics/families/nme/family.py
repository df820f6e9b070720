"""The family of NME."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.measures import Measure
from harness.metrics.families.nme.scoring import NmeScoring
from harness.metrics.family import Family, Identify, OtherScoring, TruthFiles

if TYPE_CHECKING:
    from harness.datasets.labelled import LabelledPeople
    from harness.metrics.families.nme.score import NmeMatched
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.predictions import Predictions

NOISE = 1e-5
"""A tenth of the last printed digit of tables. If rounding moves one of 300W's 46,852 keypoints by a pixel of the
heatmap, about a thirtieth of the eye distance, NME changes by 1e-6."""


class Nme(Family[NmeScoring, "LabelledPeople"]):
    """The mean distance of keypoints from their labelled location, divided by a length of each face."""

    name = "nme"
    scoring = NmeScoring
    measures = {
        "NME": Measure(
            better="lower",
            decimals=4,
            noise=NOISE,
            undefined="no person has labelled keypoints and a norm above 0, or a pose is missing",
        )
    }
    evaluators = ("NME",)
    pools = True
    settings = frozenset({"norm_mode", "norm_item", "keypoint_indices"})
    similarity = "nearness"
    foreign_options = frozenset({"array", "one_based"})
    upstream_names = {"NME": "NME"}

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> NmeScoring:
        """Read the norm of a config."""
        from harness.metrics.families.nme.read import read_nme

        return read_nme(evaluator, dataset)

    def read_truth(self, source: TruthFiles) -> "LabelledPeople":
        """Read the labelled keypoints of the data set class."""
        from harness.datasets.lookup import dataset_class

        return dataset_class(source.dataset).labelled(source.annotations, source.num_keypoints)

    def match(self, predictions: "Predictions", scoring: NmeScoring, truth: "LabelledPeople") -> "NmeMatched":
        """Measure the errors of keypoints."""
        from harness.metrics.families.nme.score import match_nme

        return match_nme(predictions, scoring, truth)

    def score_foreign(self, file: "ForeignFile[NmeScoring]") -> "ForeignOutcome":
        """Score an array of keypoints in the order of the annotations."""
        from harness.metrics.families.nme.foreign import score_array

        return score_array(file)

    def alternatives(
        self, scoring: NmeScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield the other mean, and the box's size as the norm in place of a distance of keypoints."""
        other = "people" if scoring.mean == "keypoints" else "keypoints"
        yield OtherScoring("mean over", scoring.mean, other, {"mean": other}, usual=other == "keypoints")
        if scoring.norm == "keypoint_distance":
            changes = {"norm": "bbox_size", "keypoint_indices": None}
            yield OtherScoring("errors measured by", scoring.norm, "bbox_size", changes)


PLUGIN = Nme()
