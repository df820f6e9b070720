"""Checks whether a run covered the whole data set: numbers of a part do not compare with published ones."""

from harness.datasets.lookup import file_names
from harness.predictions import Predictions
from harness.run.plan import Plan
from harness.suites.schema import Dataset


def part_of(plan: Plan, dataset: Dataset, predictions: Predictions) -> tuple[str | None, list[str]]:
    """Return the covered part of the data set if a run without a limit covered less than all, and warnings.

    Compares with the size that the suite states of the annotation file: its number of images and, with annotated boxes,
    of people.
    """
    protocol, annotations = plan.protocol, plan.protocol.annotations.path
    counts = dataset.counts_of(annotations)
    if plan.settings.partial:
        return None, []
    if counts.people is not None and protocol.boxes.file is None and len(predictions) < counts.people:
        return f"{len(predictions):,} of {counts.people:,} people", []
    if counts.images is not None:
        listed = len(file_names(protocol.dataset, plan.settings.data / annotations))
        return (f"{listed:,} of {counts.images:,} images" if listed < counts.images else None), []
    if counts.people is not None:
        return None, []
    if dataset.counts is not None:
        return None, [f"the suite does not state the size of {annotations}, so a part of it cannot be detected"]
    return None, [
        "the suite does not state the size of its data set (dataset.counts), so a partial data set cannot be detected"
    ]
