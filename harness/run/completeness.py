"""Checks whether a run covered the whole data set: numbers of a part do not compare with published ones.

Needs no torch, because saved runs are scored without it.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.lookup import file_names
from harness.predictions import Predictions
from harness.protocol import DatasetPool
from harness.record import BoxesUsed, Status
from harness.suites.schema import Dataset

if TYPE_CHECKING:
    from harness.run.plan import Plan


def part_of(plan: "Plan", dataset: Dataset, predictions: Predictions) -> tuple[str | None, list[str]]:
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
        listed = _listed(protocol.dataset, plan.settings.data / annotations, protocol.annotations.sha256)
        return (f"{listed:,} of {counts.images:,} images" if listed < counts.images else None), []
    if counts.people is not None:
        return None, []
    if dataset.counts is not None:
        return None, [f"the suite does not state the size of {annotations}, so a part of it cannot be detected"]
    unknown = "the suite does not state the size of its data set (dataset.counts)"
    return None, [f"{unknown}, so a partial data set cannot be detected"]


def status_of(
    limit: int | None, seed: int | None, part: str | None, boxes: BoxesUsed | None, claimed: float | None
) -> tuple[Status, str | None]:
    """Return whether a run is comparable with published values, and if not, why.

    Args:
        limit: The number of evaluated images, counted from the first; None for all.
        seed: The seed of weights that replaced the checkpoint.
        part: The covered part of the data set, if it is not the whole.
        boxes: The detector's boxes; None for ground-truth boxes.
        claimed: The published person AP of the boxes, in percent; None if it is not known.
    """
    reasons = []
    if limit is not None:
        first = "image" if limit == 1 else f"{limit} images"
        reasons.append(f"only the first {first} (--limit)")
    if seed is not None:
        reasons.append(f"seeded weights instead of the checkpoint (--weights random:{seed})")
    elif part is not None:
        reasons.append(f"a part of the data set: {part}")
    if reasons:
        return "partial", "; ".join(reasons)
    if boxes and boxes.published is False:
        measured = "" if boxes.person_ap is None else f", person AP {100 * boxes.person_ap:.1f}"
        published = "" if claimed is None else f" (the published one: {claimed:.1f})"
        return "own boxes", f"another box file than the published one: sha256 {boxes.sha256[:8]}{measured}{published}"
    return "complete", None


@cache
def _listed(dataset: str | DatasetPool, annotations: Path, sha256: str) -> int:
    """Count the images once for all rows of a table; `sha256` distinguishes the file from a later one of that name."""
    return len(file_names(dataset, annotations))
