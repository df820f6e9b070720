"""Ground truth of COCO-WholeBody's annotation file."""

from pathlib import Path

from harness.datasets.coco_file import PERSON
from harness.datasets.wholebody_file import NUM_KEYPOINTS, read_wholebody
from harness.errors import ObtainError
from harness.metrics.truth import Truth, truth_of


def load_wholebody(path: Path, *, areas: bool) -> Truth:
    """Return the ground truth of an annotation file whose people have 133 keypoints; visibilities can be fractions.

    Args:
        path: The JSON file.
        areas: Whether every annotation must have an 'area'.

    Raises:
        ObtainError: The file is missing, is not JSON, or lacks or garbles a field; the message names it.
    """
    truth = truth_of(path, read_wholebody(path).whole(path), NUM_KEYPOINTS, areas=areas)
    others = truth.categories != PERSON
    if others.any():
        row = int(others.argmax())
        raise ObtainError(
            f"{path}: 'category_id' of {truth.annotation_ids[row]} in 'annotations' is {truth.categories[row]}, but "
            f"MMPose's CocoWholeBodyMetric writes category {PERSON} for all poses, so that no pose could match it",
            f"write {PERSON} for people, and remove other annotations",
        )
    return truth
