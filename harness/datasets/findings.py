"""What is wrong with the files that a run, a score or `harness check --data` reads: the same findings for all three."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.arrays import Bool
from harness.datasets.box_file import read_boxes
from harness.datasets.inspect.boxes import Detected, inspect_boxes
from harness.datasets.inspect.images import ImageList, inspect_sizes
from harness.datasets.inspect.people import Annotated, Rules
from harness.datasets.inspect.problems import Problem
from harness.datasets.interface import DataFiles
from harness.datasets.lookup import dataset_class
from harness.errors import ObtainError
from harness.plugins import plugin
from harness.protocol import Boxes, PoseSelection, Scoring


def scored_files(
    dataset: str, annotations: str, scoring: Scoring, names: Sequence[str], boxes: Boxes | None = None, images: str = ""
) -> DataFiles:
    """Return the files that people and metrics are read from.

    Args:
        dataset: MMPose's class, e.g. CocoDataset.
        annotations: The annotation file, relative to the data folder.
        scoring: How people are scored.
        names: [K] of the keypoints.
        boxes: Where people are predicted; None for predictions of elsewhere.
        images: The folder of the images, where they are read.
    """
    needs: frozenset[str] = plugin("metrics", scoring.metric, "scoring.metric").needs(scoring)
    paths = {name: file.path for name, file in scoring.files.items()}
    return DataFiles(
        dataset=dataset,
        annotations=annotations,
        images=images,
        boxes=((boxes.file.path, boxes.score_threshold),) if boxes and boxes.file else (),
        ground_truth=boxes is not None and boxes.file is None,
        rules=Rules(
            num_keypoints=len(names),
            areas="area" in needs,
            crowd="crowdIndex" in needs,
            one_based=dataset_class(dataset).one_based,
            flags="visibility" in needs,
            names=tuple(names),
            sigmas=scoring.sigmas if isinstance(scoring, PoseSelection) else (),
        ),
        headboxes=paths.get("headboxes"),
        sequences=paths.get("sequences"),
    )


def inspect_detected(files: DataFiles, data: Path, path: str, threshold: float | None, images: ImageList) -> Detected:
    """Inspect a box file; raises ObtainError where it is missing or not of its form."""
    expected = dataset_class(files.dataset).corners_published
    return inspect_boxes(path, read_boxes(data / path), images, threshold, corners_expected=expected)


@lru_cache(maxsize=4)
def find_problems(files: DataFiles, data: Path, digests: tuple[str, ...]) -> tuple[Annotated, tuple[Problem, ...]]:
    """Return what annotations and boxes hold, and what is wrong with them; once for all runs that read the same.

    Args:
        files: Those of a run or a score.
        data: The data folder.
        digests: Tell the files from later ones of their names.

    Raises:
        ObtainError: A file is missing or not of its form.
    """
    annotated: Annotated = dataset_class(files.dataset).inspect(data, files)
    problems = annotated.problems
    for path, threshold in files.boxes:
        if not (data / path).exists():  # scoring again does without
            continue
        problems += inspect_detected(files, data, path, threshold, annotated.images).problems
    return annotated, problems


def find_wrong_sizes(files: DataFiles, data: Path, images: ImageList, needed: Sequence[int]) -> list[Problem]:
    """Return the images, of the ids that are `needed`, whose file has another size than the annotations state."""
    wanted: Bool = np.isin(np.array(images.ids, np.int64), np.array(needed, np.int64))
    return inspect_sizes(data, files.images, files.annotations, images, wanted)


def usable(problems: Sequence[Problem]) -> list[str]:
    """Return what a reader of the number should know, as sentences, without what is harmless.

    Raises:
        ObtainError: The number would mean nothing.
    """
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    if fatal:
        raise ObtainError("; ".join(map(str, fatal)), "; ".join(dict.fromkeys(problem.advice for problem in fatal)))
    return list(dict.fromkeys(problem.sentence for problem in problems if problem.severity != "note"))
