"""Diagnosis of predictions on MPII."""

import numpy as np

from harness.datasets.mpii_file import NUM_JOINTS
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_distances, people_within_reach
from harness.metrics.families.pckh.score import UNCOUNTED, MpiiMatched
from harness.metrics.family import Labels

THRESHOLD = 0.5


def diagnose_mpii(matched: MpiiMatched, labels: Labels) -> Diagnosis:
    """Diagnose predictions that are scored by PCKh@0.5: a joint within half the head size counts as found.

    Pelvis and thorax are left out, as in the metric. A swap is a confusion with another person of the validation set,
    which contains few of the people in its images.
    """
    truth, found = matched.truth, matched.people
    counted = np.ones(NUM_JOINTS, bool)
    counted[UNCOUNTED] = False
    joints = truth.joints[found].astype(np.float64) - 1  # MPII counts pixels from 1
    sizes, labelled = truth.head_sizes[found], truth.visible[found] & counted
    people = people_within_reach(matched.predictions, matched.rows, found, joints, labelled, THRESHOLD * sizes)
    return diagnose_distances("pckh", matched.predictions, matched.rows, people, sizes, labels)
