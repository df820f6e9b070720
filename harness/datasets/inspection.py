"""Inspects a data folder, to report faults before a run takes hours.

It inspects all properties of the files that the published numbers depend on: counts, ids, sizes, boxes, areas,
keypoints, and the known mistakes with each data set. It changes nothing, and runs no network.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from mmengine.config import Config

from harness.datasets.coco_file import PERSON
from harness.datasets.columns import FormError
from harness.datasets.findings import inspect_annotations, inspect_detected, scored_files
from harness.datasets.inspect.boxes import Detected
from harness.datasets.inspect.images import ImageList, inspect_images
from harness.datasets.inspect.people import Annotated
from harness.datasets.inspect.problems import Problem
from harness.datasets.interface import DataFiles
from harness.errors import ObtainError
from harness.suites.configs import load_config
from harness.suites.ledger import image_folder, protocol_without_files
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Counts, Suite

__all__ = ["DataFiles", "Inspection", "data_files", "inspect_data", "inspect_suite"]

Content = TypeVar("Content")


@dataclass(frozen=True)
class FoundBoxes:
    """Counts of a box file."""

    file: str
    people: int
    """Boxes of people."""
    used: int
    """Boxes of people with a score of at least the threshold."""


@dataclass(frozen=True)
class Found:
    """Counts; None if the file does not exist or cannot be read."""

    images: int | None = None
    """Images in the annotation file."""
    on_disk: int | None = None
    """Images in the annotation file whose file exists."""
    annotations: int | None = None
    people: int | None = None
    """Annotated people that a run on ground-truth boxes evaluates."""
    sequences: int | None = None
    """Videos (PoseTrack18)."""
    boxes: tuple[FoundBoxes, ...] = ()
    """Counts of each readable box file."""


@dataclass(frozen=True)
class Inspection:
    """The result for one set of data files."""

    files: DataFiles
    there: bool
    """Whether at least one of the files exists."""
    expected: Counts
    """The known counts of the whole data set."""
    found: Found = field(default_factory=Found)
    problems: tuple[Problem, ...] = ()


def data_files(suite: Suite) -> list[DataFiles]:
    """Return the distinct data files of a suite's runs, in the order of its rows, without rows that cannot run.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: A config cannot be read.
    """
    found: dict[DataFiles, DataFiles] = {}
    for row in suite.rows:
        for run in row.runs.values() if not row.cannot_run else ():
            files = _run_files(load_config(suite, row, run))
            key = replace(files, boxes=(), ground_truth=False)
            former = found.get(key, files)
            found[key] = replace(
                former,
                boxes=tuple(dict.fromkeys(former.boxes + files.boxes)),
                ground_truth=former.ground_truth or files.ground_truth,
            )
    return list(found.values())


def _run_files(config: Config) -> DataFiles:
    protocol = protocol_without_files(config)
    names = read_metainfo(config.test_dataloader.dataset).names
    return scored_files(
        protocol.dataset, protocol.annotations.path, protocol.scoring, names, protocol.boxes, image_folder(config)
    )


def inspect_suite(suite: Suite, data: Path, *, decode: bool = False) -> list[Inspection]:
    """Inspect all data files of a suite.

    Args:
        suite: The suite.
        data: An MMPose `data/` folder.
        decode: Decode every image, which takes minutes; otherwise its header and its end are read.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: A config cannot be read.
    """
    datasets = [suite.dataset, *(row.dataset for row in suite.rows if row.dataset)]
    known = {dataset.annotations: dataset.counts for dataset in datasets if dataset.counts}
    return [
        inspect_data(files, data, known.get(files.annotations, Counts()), decode=decode) for files in data_files(suite)
    ]


def inspect_data(files: DataFiles, data: Path, expected: Counts, *, decode: bool = False) -> Inspection:
    """Inspect one set of data files; the result has all problems, also of missing and unreadable files."""
    if not any((data / path).exists() for path in files.named):
        return Inspection(files, there=False, expected=expected)
    problems: list[Problem] = []
    annotated = _annotated(files, data, problems)
    if not annotated:
        return Inspection(files, True, expected, problems=tuple(problems))
    problems += annotated.problems
    images = annotated.images
    detections = {path: _detected(files, data, path, threshold, images, problems) for path, threshold in files.boxes}
    detected = {path: found for path, found in detections.items() if found}
    with_boxes = frozenset[int]().union(*(found.images for found in detected.values()))
    needed = images.has_people & files.ground_truth | np.array([i in with_boxes for i in images.ids], bool)
    on_disk, faults = inspect_images(data, files.images, files.annotations, images, needed, decode=decode)
    problems += faults
    found = Found(
        images=len(images.names),
        on_disk=on_disk,
        annotations=annotated.annotations,
        people=annotated.people,
        sequences=annotated.sequences,
        boxes=tuple(FoundBoxes(path, boxes.boxes, boxes.used) for path, boxes in detected.items()),
    )
    problems += _compare(files, expected, found)
    return Inspection(files, True, expected, found, tuple(problems))


def _annotated(files: DataFiles, data: Path, problems: list[Problem]) -> Annotated | None:
    advice = "take the keypoint annotations (person_keypoints_*.json, not instances_*.json)"
    read = partial(inspect_annotations, files, data)
    return _read(data, files.annotations, "the annotation file", advice, problems, read)


def _detected(
    files: DataFiles, data: Path, path: str, threshold: float | None, images: ImageList, problems: list[Problem]
) -> Detected | None:
    advice = "take a list of {image_id, category_id, bbox, score}"
    read = partial(inspect_detected, files, data, path, threshold, images)
    if detected := _read(data, path, "the detector's box file", advice, problems, read):
        problems += detected.problems
    return detected


def _read(
    data: Path, path: str, what: str, advice: str, problems: list[Problem], read: Callable[[], Content]
) -> Content | None:
    """Return the value of `read()`; if the file is missing or unreadable, add a problem and return None."""
    if not (data / path).exists():
        problems.append(Problem("error", path, f"missing: {what}", "put it there"))
        return None
    try:
        return read()
    except FormError as error:
        problems.append(Problem("error", path, error.what, advice))
    except ObtainError as error:
        text = f"cannot be read: {error.__cause__}" if error.__cause__ else error.args[0]
        problems.append(Problem("error", path, text, "export or extract it again"))
    return None


def _compare(files: DataFiles, expected: Counts, found: Found) -> list[Problem]:
    """Return problems of counts, which show a part of the data set or another data set."""
    key, whole, there = "images", expected.images, found.images
    if whole is None:
        key, whole, there = "people", expected.people, found.people
    if whole is not None and there is not None and there < whole:
        text = f"{there:,} of {whole:,} {key}: a part of the data set"
        return [Problem("warning", files.annotations, text, "runs of it are not comparable with published numbers")]
    counts = [
        (files.annotations, "images", expected.images, found.images),
        (files.annotations, "people to evaluate", expected.people, found.people),
        *((boxes.file, f"boxes of category {PERSON} (people)", expected.boxes, boxes.people) for boxes in found.boxes),
    ]
    return [
        Problem(
            "error",
            file,
            f"{there:,} {name}; the file of the published numbers has {whole:,}",
            "take that file, since another file gives other numbers",
        )
        for file, name, whole, there in counts
        if whole is not None and there is not None and there != whole
    ]
