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
    """Score poses as they are, or after MMPose's selection if options ask for it.

    As they are, poses have the areas of their boxes where the file has boxes, and parts their own scores where it has
    them, as xtcocotools reads such a file; MMPose writes neither.

    Raises:
        ObtainError: The file or the annotations are missing, malformed or do not fit each other.
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
