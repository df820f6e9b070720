"""Scores a results file of another framework by whole-body AP."""

from harness.datasets.wholebody_file import read_wholebody
from harness.metrics.detections import Detections
from harness.metrics.families.oks.foreign import score_poses, unscored
from harness.metrics.families.wholebody.results import load_wholebody_results
from harness.metrics.families.wholebody.score import WholeBodyMatched, match_parts, match_wholebody
from harness.metrics.families.wholebody.scoring import WholeBodyScoring
from harness.metrics.families.wholebody.truth import load_wholebody
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.truth import Truth


def score_results(file: ForeignFile[WholeBodyScoring]) -> ForeignOutcome:
    """Score poses unchanged, or after MMPose's rescoring and NMS if options select it.

    Unchanged poses have the areas of their boxes, and parts have their own scores, if the file has these, as in
    xtcocotools. MMPose writes neither.

    Raises:
        ObtainError: The file or the annotations are missing, malformed or do not match each other.
    """
    scoring, annotations = file.scoring, file.source.annotations
    truth = load_wholebody(annotations, areas=scoring.area == "annotation")
    found = load_wholebody_results(file.path)

    def match(poses: Detections, truth: Truth) -> WholeBodyMatched:
        if scoring.score_mode == "bbox" and scoring.nms == "none":
            return match_parts(poses, scoring, truth, found.scores)
        return match_wholebody(unscored(poses), scoring, truth)

    annotated = read_wholebody(annotations).coco.annotations.categories
    return score_poses(file.path, found.results, truth, annotated, match)
