"""PoseTrack18's ground truth, a file for each video, and its two label versions.

Version 0.2 of the public labels has 74 validation videos; version 0.45, which posetrack.net served from 2019 on, has
170 (mks0601/TF-SimpleHumanPose#33, Guanghan/lighttrack#16; facebookresearch/PoseWarper#34 counts 173). MMPose does not
say which one its numbers are of; its checkpoints are of October 2020 and later.
"""

from collections.abc import Set
from pathlib import Path

from harness.datasets.columns import FormError, Integers
from harness.datasets.inspect.problems import Problem, Problems
from harness.datasets.posetrack_files import read_posetrack
from harness.errors import ObtainError

OLD, NEW = 74, 170
"""Validation videos in version 0.2 and in version 0.45."""
ONE_VERSION = "take both from one label version: posetrack18_val.json is the files of annotations/val, merged"


def inspect_sequences(data: Path, folder: str, annotations: str, image_ids: Set[int]) -> tuple[int, list[Problem]]:
    """Count the videos, and compare their frames with those of the merged annotation file.

    Args:
        data: The data folder.
        folder: Where the files of the videos are, relative to it.
        annotations: The merged file, for messages.
        image_ids: The frames in it.
    """
    problems = Problems(folder)
    files = read_posetrack(data / folder)
    if not files:
        problems.add(
            "error",
            "missing: no *.json of the ground truth of each video",
            "put PoseTrack18's own annotations/val there; posetrack18_val.json alone is not enough",
        )
        return 0, problems.found
    frames: set[int] = set()
    annotated: set[int] = set()
    without_head = []
    for file in files:
        try:
            sequence = file.read()
        except ObtainError as error:
            one = Problems(f"{folder}/{file.name}")
            text = error.what if isinstance(error, FormError) else f"not JSON: {error.__cause__}"
            one.add("error", text, "take the annotations of PoseTrack18")
            problems.found += one.found
            continue
        frames |= _known(sequence.image_ids)
        annotated |= _known(sequence.person_images)
        without_head += [] if sequence.heads.known.all() else [file.name]
    problems.add(
        "error",
        "missing; distances are measured by it",
        "take PoseTrack18's own file",
        field="bbox_head",
        what="sequence",
        ids=without_head,
    )
    problems.add(
        "error",
        f"annotated, but not in {annotations}: whoever is in them counts as missed",
        ONE_VERSION,
        what="image",
        ids=sorted(annotated - image_ids),
    )
    merged = Problems(annotations)
    merged.add("error", f"in no file of {folder}", ONE_VERSION, what="image", ids=sorted(image_ids - frames))
    count = len(files)
    if count == OLD:
        problems.add(
            "warning",
            f"{OLD} videos: label version 0.2. Version 0.45 has {NEW}, and numbers of the two differ",
            "take version 0.45, which was the current one when MMPose's models were made",
        )
    elif count < NEW:
        version = f"version 0.2 has {OLD}, version 0.45 has {NEW}" if count < OLD else f"version 0.45 has {NEW}"
        problems.add("note", f"{count} videos, a part of the data set: {version}", "complete it for published numbers")
    return count, problems.found + merged.found


def _known(ids: Integers) -> set[int]:
    return set(ids.values[ids.known].tolist())
