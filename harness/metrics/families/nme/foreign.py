"""Scores an array of keypoints of another framework by NME."""

import numpy as np

from harness.datasets.lookup import dataset_class
from harness.datasets.people import load_people
from harness.metrics.families.nme.score import NmeMatched, match_nme
from harness.metrics.families.nme.scoring import NmeScoring
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import as_predictions, read_people, score_people, warn_of_undefined
from harness.predictions import Predictions


def score_array(file: ForeignFile[NmeScoring]) -> ForeignOutcome:
    """Score keypoints in the order of the annotations, for the people that MMPose evaluates, with their boxes.

    NME is undefined if a person with labelled keypoints has no pose.

    Raises:
        UsageError: The file has several arrays that fit, and none is named.
        ObtainError: The array or the annotations are missing, malformed or do not match each other.
    """
    protocol, annotations = file.protocol, file.source.annotations
    truth = dataset_class(protocol.dataset).labelled(annotations, protocol.num_keypoints)
    people = load_people(protocol.dataset, annotations, file.data, None, None)
    keypoints, predicted, warnings = read_people(file, len(truth.ids), truth.keypoints)
    evaluated = truth.places(people.ids)
    found = as_predictions(people.ids, people.image_ids, people.boxes, keypoints[evaluated])
    posed = predicted[evaluated]
    missed = people.ids[~posed]

    def match(found: Predictions) -> NmeMatched:
        return match_nme(found, file.scoring, truth, ~np.isin(found.person_ids, missed))

    return warn_of_undefined(score_people(found, posed, warnings, match), "NME")
