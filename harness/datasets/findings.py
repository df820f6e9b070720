"""Problems of data files: `harness run`, `harness score` and `harness check --data` report the same ones."""

from collections.abc import Sequence
from dataclasses import replace
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
from harness.protocol import Boxes, DatasetPool, PoseSelection, Scoring


def scored_files(
    dataset: str | DatasetPool,
    annotations: str,
    scoring: Scoring,
    names: Sequence[str],
    boxes: Boxes | None = None,
    images: str = "",
) -> DataFiles:
    """Return the files that people and metrics are read from.

    Args:
        dataset: MMPose's class, e.g. CocoDataset, or a pool.
        annotations: The annotation file, relative to the data folder.
        scoring: How people are scored.
        names: [K] of the keypoints.
        boxes: The boxes that people are predicted in; None for external predictions.
        images: The folder of the images, if they are read.
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


def inspect_annotations(files: DataFiles, data: Path) -> Annotated:
    """Inspect the annotation file of any class; a file without people is a fatal problem.

    It is a problem, too, if all people of a run on ground-truth boxes are left out and no error explains it.

    Raises:
        ObtainError: It is missing or does not have the expected structure.
    """
    annotated: Annotated = dataset_class(files.dataset).inspect(data, files)
    explained = any(problem.severity in ("fatal", "error") for problem in annotated.problems)
    if annotated.annotations and (annotated.people or explained or not files.ground_truth):
        return annotated
    text = f"no person can be evaluated: 0 of {annotated.annotations:,} annotations"
    nobody = Problem("fatal", files.annotations, text, "take the file with the people's keypoints")
    return replace(annotated, problems=(*annotated.problems, nobody))


def inspect_detected(files: DataFiles, data: Path, path: str, threshold: float | None, images: ImageList) -> Detected:
    """Inspect a box file.

    Raises:
        ObtainError: It is missing or does not have the expected structure.
    """
    expected = dataset_class(files.dataset).corners_published
    return inspect_boxes(path, read_boxes(data / path), images, threshold, corners_expected=expected)


@lru_cache(maxsize=4)
def find_problems(files: DataFiles, data: Path, digests: tuple[str, ...]) -> tuple[Annotated, tuple[Problem, ...]]:
    """Return the counts of annotations and boxes, and their problems; runs with the same files share one inspection.

    Args:
        files: The files of a run or a score.
        data: The data folder.
        digests: Hashes of the files, so that a changed file is inspected again.

    Raises:
        ObtainError: A file is missing or does not have the expected structure.
    """
    annotated = inspect_annotations(files, data)
    problems = annotated.problems
    for path, threshold in files.boxes:
        if not (data / path).exists():  # scoring again does not need it
            continue
        problems += inspect_detected(files, data, path, threshold, annotated.images).problems
    return annotated, problems


def find_wrong_sizes(files: DataFiles, data: Path, images: ImageList, needed: Sequence[int]) -> list[Problem]:
    """Return problems of images, with ids in `needed`, whose file has another size than the annotations state."""
    wanted: Bool = np.isin(np.array(images.ids, np.int64), np.array(needed, np.int64))
    return inspect_sizes(data, files.images, files.annotations, images, wanted)


def usable(problems: Sequence[Problem]) -> list[str]:
    """Return the problems that readers of the result should know, as sentences, without harmless ones.

    Raises:
        ObtainError: A problem is fatal: the result would be meaningless.
    """
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    if fatal:
        raise ObtainError("; ".join(map(str, fatal)), "; ".join(dict.fromkeys(problem.advice for problem in fatal)))
    return list(dict.fromkeys(problem.sentence for problem in problems if problem.severity != "note"))
