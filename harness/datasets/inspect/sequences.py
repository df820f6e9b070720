"""Inspects PoseTrack18's ground truth, a file for each video, and detects its label version.

Version 0.2 of the public labels has 74 validation videos; version 0.45, published at posetrack.net since 2019, has 170
(mks0601/TF-SimpleHumanPose#33, Guanghan/lighttrack#16; facebookresearch/PoseWarper#34 counts 173). MMPose does not
state the version of its numbers; its checkpoints date from October 2020 and later.
"""

from collections.abc import Set
from pathlib import Path

from harness.datasets.columns import FormError, Integers
from harness.datasets.inspect.problems import Problem, Problems
from harness.datasets.posetrack_files import read_posetrack
from harness.errors import ObtainError, counted

OLD, NEW = 74, 170
"""Validation videos in version 0.2 and in version 0.45."""
ONE_VERSION = "take both from one label version: posetrack18_val.json merges the files of annotations/val"


def inspect_sequences(data: Path, folder: str, annotations: str, image_ids: Set[int]) -> tuple[int, list[Problem]]:
    """Return the number of videos, and problems; compares their frames with those of the merged annotation file.

    Args:
        data: The data folder.
        folder: The folder with the files of the videos, relative to the data folder.
        annotations: The merged file, for messages.
        image_ids: The frames in the merged file.
    """
    problems = Problems(folder)
    files = read_posetrack(data / folder)
    if not files:
        problems.add(
            "error",
            "missing: no *.json with the ground truth of a video",
            "put PoseTrack18's annotations/val there; posetrack18_val.json alone is not enough",
        )
        return 0, problems.found
    frames: set[int] = set()
    annotated: set[int] = set()
    without_head = []
    for file in files:
        try:
            sequence = file.read()
        except ObtainError as error:
            text = error.what if isinstance(error, FormError) else f"not JSON: {error.__cause__}"
            problems.add("error", text, "take the annotations of PoseTrack18", file=f"{folder}/{file.name}")
            continue
        frames |= _known(sequence.image_ids)
        annotated |= _known(sequence.person_images)
        without_head += [] if sequence.heads.known.all() else [file.name]
    problems.add(
        "error",
        "missing, but distances are measured in units of it",
        "take PoseTrack18's file",
        field="bbox_head",
        what="sequence",
        ids=without_head,
    )
    problems.add(
        "error",
        f"annotated, but not in {annotations}: the people in them count as missed",
        ONE_VERSION,
        what="image",
        ids=sorted(annotated - image_ids),
    )
    count = len(files)
    if count == OLD:
        problems.add(
            "warning",
            f"{OLD} videos: label version 0.2. Version 0.45 has {NEW}, and numbers of the two differ",
            "take version 0.45, which was the current one when MMPose's models were made",
        )
    elif count < NEW:
        version = f"version 0.2 has {OLD}, version 0.45 has {NEW}" if count < OLD else f"version 0.45 has {NEW}"
        problems.add(
            "note", f"{counted(count, 'video')}, a part of the data set: {version}", "complete it for published numbers"
        )
    missing = sorted(image_ids - frames)
    problems.add("error", f"in no file of {folder}", ONE_VERSION, what="image", ids=missing, file=annotations)
    return count, problems.found


def _known(ids: Integers) -> set[int]:
    return set(ids.values[ids.known].tolist())
