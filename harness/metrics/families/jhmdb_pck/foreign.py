"""Scores an array of keypoints of another framework on JHMDB."""

from harness.datasets.coco_file import read_coco
from harness.datasets.people import load_people
from harness.metrics.families.jhmdb_pck.score import match_jhmdb
from harness.metrics.families.jhmdb_pck.scoring import JhmdbScoring
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import as_predictions, read_people, score_people
from harness.metrics.truth import load_truth


def score_array(file: ForeignFile[JhmdbScoring]) -> ForeignOutcome:
    """Score keypoints in the order of the annotations, for the people that MMPose evaluates, with their boxes.

    Raises:
        UsageError: The file has several arrays that fit, and none is named.
        ObtainError: The array or the annotations are missing, malformed or do not match each other.
    """
    annotations = file.source.annotations
    truth = load_truth(annotations, file.protocol.num_keypoints)
    people = load_people(file.protocol.dataset, annotations, file.data, None, None)
    ids = read_coco(annotations).annotations.ids.values.tolist()
    keypoints, predicted, warnings = read_people(file, len(ids), truth.keypoints[..., :2])
    rows = {person: row for row, person in enumerate(ids)}
    evaluated = [rows[person] for person in people.ids.tolist()]
    found = as_predictions(people.ids, people.image_ids, people.boxes, keypoints[evaluated])
    return score_people(found, predicted[evaluated], warnings, lambda people: match_jhmdb(people, file.scoring, truth))
