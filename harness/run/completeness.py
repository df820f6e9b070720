"""Checks whether a run covered the whole data set: numbers of a part do not compare with published ones."""

from functools import cache
from pathlib import Path

from harness.datasets.lookup import file_names
from harness.predictions import Predictions
from harness.protocol import DatasetPool
from harness.run.plan import Plan
from harness.suites.schema import Dataset

UNKNOWN_SIZE = "the suite states no size of its data set (dataset.counts), so a partial data set is not noticed"


def part_of(plan: Plan, dataset: Dataset, predictions: Predictions) -> tuple[str | None, list[str]]:
    """Return the covered part of the data set if a run without a limit covered less than all, and warnings.

    Compares with the sizes that the suite states: the number of images in the annotation file and, with annotated
    boxes, of people.
    """
    protocol, counts = plan.protocol, dataset.counts
    if plan.settings.partial:
        return None, []
    if counts and counts.people is not None and protocol.boxes.file is None and len(predictions) < counts.people:
        return f"{len(predictions):,} of {counts.people:,} people", []
    if counts and counts.images is not None:
        annotations = plan.settings.data / protocol.annotations.path
        listed = _listed(protocol.dataset, annotations, protocol.annotations.sha256)
        return (f"{listed:,} of {counts.images:,} images" if listed < counts.images else None), []
    if counts and counts.people is not None:
        return None, []
    return None, [UNKNOWN_SIZE]


@cache
def _listed(dataset: str | DatasetPool, annotations: Path, sha256: str) -> int:
    """Count the images once for all rows of a table; `sha256` distinguishes the file from a later one of that name."""
    return len(file_names(dataset, annotations))
