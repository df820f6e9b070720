"""Identifies a run's detector boxes as published or not, and measures their person AP."""

from functools import cache
from pathlib import Path

import numpy as np

from harness.errors import ObtainError
from harness.metrics.box_ap import PersonAP, person_ap
from harness.predictions import Predictions
from harness.record import BoxesUsed
from harness.run.plan import Plan
from harness.suites.schema import Dataset
from harness.suites.sources import source_of


def identify_boxes(
    plan: Plan, dataset: Dataset, predictions: Predictions, earlier: BoxesUsed | None = None
) -> tuple[BoxesUsed | None, list[str]]:
    """Return the boxes that a run used, and warnings; None for ground-truth boxes.

    A published file is identified by its sha256. Without a published sha256, it is identified by the claimed person AP,
    which is computed on all images and from correctly read boxes. A file named on the command line counts as not
    published, unless one of these identifies it.

    Args:
        plan: The plan of the run.
        dataset: The data set as the suite states it.
        predictions: The predictions of the run.
        earlier: The boxes of an earlier record of this run, whose person AP is then not measured again.
    """
    protocol, data = plan.protocol, plan.settings.data
    if protocol.boxes.file is None:
        return None, []
    measured: tuple[float | None, float | None] | None = None  # person AP, and that of boxes read as corners
    warnings = []
    sha256, claimed = protocol.boxes.file.sha256, dataset.box_person_ap
    images = None if protocol.limit is None else tuple(np.unique(predictions.image_ids).tolist())
    if earlier and earlier.sha256 == sha256 and earlier.person_ap is not None:
        measured = earlier.person_ap, earlier.person_ap_of_corners
    else:
        try:
            found = _measure(data / protocol.boxes.file.path, data / protocol.annotations.path, images, sha256)
            measured = found.ap, found.ap_of_corners
        except ObtainError as error:  # the run itself needs less than this measurement
            warnings.append(f"the person AP of the boxes cannot be measured: {error}")
    source = source_of(dataset.boxes) if dataset.boxes else None
    published = None
    if source and source.entry.sha256:
        published = sha256 == source.entry.sha256
    elif claimed is not None and measured and images is None:
        published = claimed in [round(100 * ap, 1) for ap in measured if ap is not None]
    elif plan.settings.boxes is not None:
        published = False
    elif not plan.settings.partial:
        warnings.append("no hash or person AP of this box file is published, so another file cannot be detected")
    ap, corners = measured or (None, None)
    return BoxesUsed(sha256=sha256, person_ap=ap, person_ap_of_corners=corners, published=published), warnings


@cache
def _measure(box_file: Path, annotations: Path, images: tuple[int, ...] | None, sha256: str) -> PersonAP:
    """Measure once for all rows of a table; `sha256` distinguishes the file from a later one with the same name."""
    return person_ap(box_file, annotations, images)
