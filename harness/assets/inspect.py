"""What a data folder holds, and what is wrong with it, before a run spends hours on it.

Everything that the published numbers depend on and that can be seen in the files themselves is looked at: counts, ids,
sizes, boxes, areas, keypoints, and the known mix-ups of each data set. Nothing is changed, and no network is run.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.datasets.inspect.boxes import Detected, inspect_boxes
from harness.datasets.inspect.images import ImageList, inspect_images
from harness.datasets.inspect.mpii import inspect_mpii
from harness.datasets.inspect.people import Annotated, Rules, inspect_people
from harness.datasets.inspect.problems import Problem, Problems
from harness.datasets.inspect.sequences import inspect_sequences
from harness.errors import ObtainError
from harness.files import read_json
from harness.protocol import Compute, DataFile, OksScoring, PckhScoring, PoseTrackScoring
from harness.suites.configs import load_config
from harness.suites.ledger import image_folder, read_protocol
from harness.suites.schema import Counts, Suite

__all__ = ["DataFiles", "Found", "Inspection", "Problem", "data_files", "inspect_data", "inspect_suite"]

_ANY_COMPUTE = Compute(engine="shared", batch_size=1, device="cpu")


@dataclass(frozen=True)
class DataFiles:
    """The files that some of a suite's runs read; paths are relative to the data folder."""

    dataset: str
    """MMPose's class that reads them, e.g. CocoDataset."""
    annotations: str
    images: str
    boxes: tuple[tuple[str, float | None], ...]
    """Box files, each with its score threshold."""
    ground_truth: bool
    """Whether runs evaluate annotated boxes."""
    rules: Rules
    headboxes: str | None = None
    sequences: str | None = None

    @property
    def named(self) -> list[str]:
        """All paths that show whether the data set is there."""
        paths = [self.annotations, self.images, *(path for path, _ in self.boxes), self.headboxes, self.sequences]
        return [path for path in paths if path]


@dataclass(frozen=True)
class FoundBoxes:
    """Counts of a box file."""

    file: str
    people: int
    """Boxes of people."""
    used: int
    """Of these, those with a score of at least the threshold."""


@dataclass(frozen=True)
class Found:
    """Counts; None where there was nothing to count in."""

    images: int | None = None
    """In the annotation file."""
    on_disk: int | None = None
    """Of these, those whose file is there."""
    annotations: int | None = None
    people: int | None = None
    """Annotated people whom a run on ground-truth boxes evaluates."""
    sequences: int | None = None
    """PoseTrack18's videos."""
    boxes: tuple[FoundBoxes, ...] = ()
    """Of each box file that can be read."""


@dataclass(frozen=True)
class Inspection:
    """What was found of one set of data files."""

    files: DataFiles
    there: bool
    """Whether there is any of them."""
    expected: Counts
    """Of the whole data set, as far as known."""
    found: Found = field(default_factory=Found)
    problems: tuple[Problem, ...] = ()


def data_files(suite: Suite) -> list[DataFiles]:
    """Return the distinct data files of a suite's runs, in the order of its rows.

    Raises:
        ObtainError: MMPose is not installed.
        SpecError: A config cannot be read.
    """
    found: dict[tuple[str, str], DataFiles] = {}
    for row in suite.rows:
        for run in row.runs.values():
            files = _run_files(load_config(suite, row, run))
            key = files.annotations, files.images
            former = found.get(key, files)
            found[key] = replace(
                former,
                boxes=tuple(dict.fromkeys(former.boxes + files.boxes)),
                ground_truth=former.ground_truth or files.ground_truth,
            )
    return list(found.values())


def _run_files(config: Config) -> DataFiles:
    protocol = read_protocol(config, lambda path, _: DataFile(path=path, sha256=""), None, _ANY_COMPUTE)
    scoring, boxes = protocol.scoring, protocol.boxes
    return DataFiles(
        dataset=protocol.dataset,
        annotations=protocol.annotations.path,
        images=image_folder(config),
        boxes=((boxes.file.path, boxes.score_threshold),) if boxes.file else (),
        ground_truth=boxes.file is None,
        rules=Rules(
            num_keypoints=protocol.num_keypoints,
            areas=isinstance(scoring, OksScoring) and scoring.area == "annotation",
            crowd=isinstance(scoring, OksScoring) and scoring.crowd,
            one_based=protocol.dataset == "JhmdbDataset",
        ),
        headboxes=scoring.headboxes.path if isinstance(scoring, PckhScoring) else None,
        sequences=scoring.sequences.path if isinstance(scoring, PoseTrackScoring) else None,
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
    """Inspect one set of data files; whatever is wrong with them is in the result."""
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
    sequences = None
    if files.sequences:
        sequences, faults = inspect_sequences(data, files.sequences, files.annotations, frozenset(images.ids))
        problems += faults
    found = Found(
        images=len(images.names),
        on_disk=on_disk,
        annotations=annotated.annotations,
        people=annotated.people,
        sequences=sequences,
        boxes=tuple(FoundBoxes(path, boxes.boxes, boxes.used) for path, boxes in detected.items()),
    )
    problems += _compare(files, expected, found)
    return Inspection(files, True, expected, found, tuple(problems))


def _annotated(files: DataFiles, data: Path, problems: list[Problem]) -> Annotated | None:
    document = _read(data, files.annotations, "the annotation file", problems)
    if document is None:
        return None
    try:
        if files.headboxes:
            return inspect_mpii(files.annotations, document, (files.headboxes, data / files.headboxes))
        return inspect_people(files.annotations, document, files.rules)
    except ObtainError as error:
        advice = "take the keypoint annotations (person_keypoints_*.json, not instances_*.json)"
        problems.append(Problem("error", files.annotations, str(error), advice))
        return None


def _detected(
    files: DataFiles, data: Path, path: str, threshold: float | None, images: ImageList, problems: list[Problem]
) -> Detected | None:
    document = _read(data, path, "the detector's box file", problems)
    if document is None:
        return None
    try:
        corners = files.dataset == "HumanArtDataset"
        detected = inspect_boxes(path, document, images, threshold, corners_expected=corners)
    except ObtainError as error:
        problems.append(Problem("error", path, str(error), "take a list of {image_id, category_id, bbox, score}"))
        return None
    problems += detected.problems
    return detected


def _read(data: Path, path: str, what: str, problems: list[Problem]) -> Any:
    """Read a JSON file; None and a problem where that is not possible."""
    try:
        return read_json(data / path, what)
    except ObtainError as error:
        if error.__cause__ is None:
            problems.append(Problem("error", path, f"missing: {what}", "put it there"))
        else:
            advice = "extract or download it again"
            problems.append(Problem("error", path, f"cannot be read: {error.__cause__}", advice))
        return None


def _compare(files: DataFiles, expected: Counts, found: Found) -> list[Problem]:
    """Tell a part of the data set, and another one, by the counts."""
    key, whole, there = "images", expected.images, found.images
    if whole is None:
        key, whole, there = "people", expected.people, found.people
    if whole is not None and there is not None and there < whole:
        problems = Problems(files.annotations)
        text = f"{there:,} of {whole:,} {key}: a part of the data set"
        problems.add("warning", text, "runs of it are not comparable with published numbers")
        return problems.found
    counts = [
        (files.annotations, "images", expected.images, found.images),
        (files.annotations, "people to evaluate", expected.people, found.people),
        *((boxes.file, "boxes", expected.boxes, boxes.people) for boxes in found.boxes),
    ]
    return [
        Problem(
            "error",
            file,
            f"{there:,} {name}; the file of the published numbers has {whole:,}",
            "take that file: with another one the number is another",
        )
        for file, name, whole, there in counts
        if whole is not None and there is not None and there != whole
    ]
