"""Scores a COCO results file of another framework by PCK, AUC and EPE; each pose belongs to one annotated person."""

from pathlib import Path

import numpy as np

from harness.arrays import Indices, Int64
from harness.datasets.lookup import file_names
from harness.errors import ObtainError, brief, counted
from harness.metrics.coco_results import Entries, read_entries, results_of
from harness.metrics.families.pck.score import match_pck
from harness.metrics.families.pck.scoring import PckScoring
from harness.metrics.families.pck.truth import PckTruth, load_pck_truth
from harness.metrics.foreign import Coverage, ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import as_predictions, check_images, check_pixels, warn_of_undefined

FIELD = "annotation_id"
"""The field of an entry that names the annotated person; required if its image has several people."""


def score_results(file: ForeignFile[PckScoring]) -> ForeignOutcome:
    """Score poses of the people that MMPose evaluates.

    An entry belongs to the annotation that its `annotation_id` names or, without one, to the only person of its image.
    For people without a pose, no keypoint is found, and EPE is undefined.

    Raises:
        ObtainError: The file or the annotations are missing, malformed or do not match each other.
    """
    path, truth = file.path, load_pck_truth(file.source)
    entries = read_entries(path)
    results = results_of(path, entries, file.protocol.num_keypoints)
    found = results.detections
    known = np.array(list(file_names(file.protocol.dataset, truth.path)), np.int64)
    check_images(path, found.image_ids, known, truth.path)
    people = _people(path, entries, found.image_ids, truth)
    chosen = np.flatnonzero(people >= 0)
    warnings = [*results.warnings]
    if len(chosen) < len(people):
        lost = counted(len(people) - len(chosen), "pose does", "poses do")
        warnings.append(f"{lost} not count: no person is evaluated in the image")
    keypoints = np.zeros((len(truth.ids), file.protocol.num_keypoints, 2))
    posed = np.zeros(len(truth.ids), bool)
    keypoints[people[chosen]], posed[people[chosen]] = found.keypoints[chosen, :, :2], True
    warnings += check_pixels(path, found.keypoints[..., :2], truth.keypoints)
    everybody = as_predictions(truth.ids, truth.image_ids, truth.boxes, keypoints)
    with_pose = everybody.where(posed)
    some = 0 < len(with_pose) < len(everybody)
    outcome = ForeignOutcome(
        metrics=match_pck(everybody, file.scoring, truth, posed).stats(),
        warnings=tuple(warnings),
        coverage=Coverage(
            people=len(everybody),
            people_without_pose=int((~posed).sum()),
            images=None,
            images_without_pose=None,
            metrics=match_pck(with_pose, file.scoring, truth).stats() if some else None,
        ),
    )
    return warn_of_undefined(outcome, "EPE")


def _people(path: Path, entries: Entries, images: Int64, truth: PckTruth) -> Indices:
    """Return the index in the ground truth of each pose's person, [N]; -1 in an image without evaluated people."""
    place_of = {person: place for place, person in enumerate(truth.ids.tolist())}
    of_image: dict[int, list[int]] = {}
    for place, image in enumerate(truth.image_ids.tolist()):
        of_image.setdefault(image, []).append(place)
    people = np.full(len(entries), -1)
    entry_of: dict[int, int] = {}
    for number, (entry, image) in enumerate(zip(entries, images.tolist(), strict=True)):
        here = of_image.get(image, [])
        if FIELD in entry:
            stated = entry[FIELD]
            place = place_of.get(stated, -1) if type(stated) is int else -1
            if place not in here:
                raise ObtainError(
                    f"{path}: '{FIELD}' of entry {number} is {brief(stated)}, which is not an evaluated person in "
                    f"image {image} of {truth.path}",
                    "write the 'id' of the annotation in that image",
                )
        elif len(here) > 1:
            raise ObtainError(
                f"{path}: entry {number} has no '{FIELD}', but {len(here)} people are evaluated in image {image}",
                f"write the 'id' of the annotation whose box the pose was predicted in as \"{FIELD}\"",
            )
        elif not here:
            continue
        else:
            place = here[0]
        if place in entry_of:
            raise ObtainError(
                f"{path}: entries {entry_of[place]} and {number} are both poses of person {truth.ids[place]}",
                "keep one pose for each annotated person",
            )
        people[number] = place
        entry_of[place] = number
    return people
