"""Ground truth of PCK, AUC and EPE: the evaluated people, as MMPose's data set class lists them."""

from dataclasses import dataclass
from pathlib import Path

from harness.arrays import Bool, Float32, Float64, Floating, Int64
from harness.datasets.lookup import dataset_class
from harness.datasets.people import load_people
from harness.errors import ObtainError, counted
from harness.metrics.families.pckh.truth import load_head_sizes
from harness.metrics.family import TruthFiles


@dataclass(frozen=True)
class PckTruth:
    """M people in MMPose's order."""

    path: Path
    """The annotation file, for messages."""
    ids: Int64
    """[M]"""
    image_ids: Int64
    """[M]"""
    boxes: Float32
    """[M, 4] x1, y1, x2, y2, image px: MMPose's `gt_instances.bboxes`, clipped only if MMPose's class clips them."""
    keypoints: Floating
    """[M, K, 2] x, y, image px."""
    labelled: Bool
    """[M, K] whether the visibility, which may be a fraction, is not 0."""
    head_sizes: Float64 | None
    """[M] px; None without head boxes."""


def load_pck_truth(source: TruthFiles) -> PckTruth:
    """Read the evaluated people of an annotation file.

    Raises:
        ObtainError: A file is missing or malformed; the message names it and the field.
    """
    path, heads = source.annotations, dict(source.files).get("headboxes")
    people = load_people(source.dataset, path, path.parent, None, None)
    labelled = dataset_class(source.dataset).labelled(path, source.num_keypoints)
    places = labelled.places(people.ids)
    head_sizes = None
    if heads is not None:
        head_sizes = load_head_sizes(heads)
        if len(head_sizes) != len(people):
            had = counted(len(head_sizes), "person", "people")
            raise ObtainError(f"{heads}: head boxes of {had}, but {path} has {len(people)}")
    return PckTruth(
        path=path,
        ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        keypoints=labelled.keypoints[places],
        labelled=labelled.visible[places],
        head_sizes=head_sizes,
    )
