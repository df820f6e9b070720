"""Determines which rows of each suite can run on a data folder, from the files present."""

from collections.abc import Iterator
from pathlib import Path

from harness.assets.checkpoint_files import find_checkpoint
from harness.errors import ObtainError
from harness.fields import Fields
from harness.suites.load import load_suite, suite_names
from harness.suites.schema import Dataset, Row, Suite
from harness.suites.sources import source_of

ABSENT, NONE = "absent", "-"


class SuiteState(Fields):
    """The files of a suite in a data folder."""

    name: str
    annotations: str
    """`there`, `absent`, or the number of present files, such as `2 of 3`."""
    images: str
    """`there` means a folder that is not empty; `harness check --data` counts the images."""
    boxes: str
    other: str
    """Further files that the evaluation reads."""
    checkpoints: str
    rows: int
    ready: int
    """Number of rows whose files are all present."""
    seeded: int
    """Number of rows that can run with seeded weights instead of their checkpoints."""


def suite_states(data: Path, checkpoints: Path) -> Iterator[SuiteState]:
    """Yield the state of each suite.

    Args:
        data: An MMPose data/ folder; it may not exist.
        checkpoints: The folder of checkpoints.
    """
    for name in suite_names():
        suite = load_suite(name)
        datasets = [suite.dataset_of(row) for row in suite.rows]
        images = {path for dataset in datasets for path in _image_folders(dataset)}
        checkpoints_there = {
            (row.id, run): _has_checkpoint(checkpoints, row, run) for row in suite.rows for run in row.runs
        }
        seeded = [row.id for row in suite.rows if _has_data(data, suite, row)]
        lacking = {row for (row, _), there in checkpoints_there.items() if not there}
        yield SuiteState(
            name=name,
            annotations=_state(data, {suite.annotations(row, run) for row in suite.rows for run in row.runs.values()}),
            images=_state(data, images),
            boxes=_state(data, {dataset.boxes for dataset in datasets if dataset.boxes}),
            other=_state(data, {path for dataset in datasets for path in dataset.extra.values()}),
            checkpoints=_share(sum(checkpoints_there.values()), len(checkpoints_there)),
            rows=len(suite.rows),
            ready=sum(row not in lacking for row in seeded),
            seeded=len(seeded),
        )


def _state(data: Path, paths: set[str]) -> str:
    return _share(sum(_there(data / path) for path in paths), len(paths)) if paths else NONE


def _share(found: int, total: int) -> str:
    return {0: ABSENT, total: "there"}.get(found, f"{found} of {total}")


def _there(path: Path) -> bool:
    """Return whether the path is a file, or a folder with any content besides annotations."""
    return path.is_file() or (path.is_dir() and any(child.name != "annotations" for child in path.iterdir()))


def _image_folders(dataset: Dataset) -> set[str]:
    """Return the folders of a data set's images; from the published list if `images` is the data folder itself."""
    source = source_of(dataset.annotations) if dataset.images == "." and dataset.annotations else None
    if source is None:
        return {dataset.images}
    return {entry.path for entry in source.sources.files if entry.kind == "folder"}


def _has_data(data: Path, suite: Suite, row: Row) -> bool:
    dataset = suite.dataset_of(row)
    paths = {suite.annotations(row, run) for run in row.runs.values()} | {*dataset.extra.values()}
    paths |= _image_folders(dataset)
    if row.boxes == "detector" and dataset.boxes:
        paths.add(dataset.boxes)
    return all(_there(data / path) for path in paths)


def _has_checkpoint(folder: Path, row: Row, run: str) -> bool:
    try:
        return find_checkpoint(folder, row.runs[run].checkpoint).is_file()
    except ObtainError:
        return False
