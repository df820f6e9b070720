"""What is wrong with predictions, by the protocol's own rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import MALFORMED, ObtainError, RunError
from harness.files import read_json
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.family import Labels, Matched
from harness.protocol import Protocol


def diagnose(matched: Matched, protocol: Protocol, data: Path, names: Sequence[str]) -> Diagnosis:
    """Diagnose predictions that were matched with the ground truth of the data folder.

    Args:
        matched: Predictions of K keypoints.
        protocol: What they were made and are scored by.
        data: An MMPose data/ folder.
        names: [K] of the keypoints, as in `harness.suites.metainfo`.

    Raises:
        ObtainError: The annotations are missing or malformed.
        RunError: The names are of another number of keypoints.
    """
    if len(names) != protocol.num_keypoints:
        raise RunError(f"{len(names)} names of keypoints, but the protocol has {protocol.num_keypoints}")
    return matched.diagnosis(Labels(names, protocol.flip_indices, _file_names(data / protocol.annotations.path)))


def _file_names(annotations: Path) -> dict[int, str]:
    """Return the file names of images by their ids, as far as the annotation file has them."""
    document: Any = read_json(annotations, "the annotation file")
    try:
        if isinstance(document, list):
            # MPII's images have no ids; MMPose takes the number in the file's name (mpii_dataset.py).
            names = {str(person["image"]) for person in document if "image" in person}
            return {int(Path(name).stem): name for name in names if Path(name).stem.isdecimal()}
        return {image["id"]: str(image["file_name"]) for image in document.get("images", []) if "file_name" in image}
    except MALFORMED as error:
        raise ObtainError(f"the annotation file has no list of images: {annotations}: {error!r}") from error
