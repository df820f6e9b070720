"""The people whose poses are estimated, read from detections or from ground truth, with a module per file format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.arrays import usable
from harness.datasets.columns import BACKSLASHES
from harness.datasets.lookup import dataset_class
from harness.datasets.people.coco import annotated_people, detected_people
from harness.datasets.people.people import People
from harness.errors import ObtainError
from harness.files import is_file
from harness.protocol import DatasetPool

__all__ = ["People", "annotated_people", "check_images", "detected_people", "load_people"]


def load_people(
    dataset: str | DatasetPool, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None
) -> People:
    """Return the people that MMPose's data set class lists.

    Args:
        dataset: MMPose's class, e.g. CocoDataset, or a pool.
        annotations: The annotation file; of a pool, that of the first part.
        images: The folder that its image names are relative to.
        box_file: A detector's boxes; None for the ground truth's.
        score_threshold: Detections with a lower score are dropped.

    Raises:
        SpecError: The harness does not have the data set's class.
        ObtainError: A file is missing or does not have the expected structure.
    """
    people = dataset_class(dataset).people(annotations, images, box_file, score_threshold)
    _check_finite(people, box_file or annotations)
    return people


def _check_finite(people: People, path: Path) -> None:
    coordinates = np.concatenate([people.boxes, people.centers, people.sizes], axis=1)
    for what, values in (("coordinate", coordinates), ("score", people.scores[:, None])):
        broken = ~usable(values).all(axis=1)
        if broken.any():
            person = people.ids[int(broken.argmax())]
            raise ObtainError(f"a box has a {what} that is not a finite number: {path}: that of person {person}")


def check_images(images: Mapping[int, Path]) -> None:
    """Check that every image file exists.

    Raises:
        ObtainError: Images are missing; the message has their number and names the first.
    """
    missing = [path for path in images.values() if not is_file(path)]
    if missing:
        hint = "put them there, or name another data folder with --data; file_name is relative to the images' folder"
        if "\\" in missing[0].as_posix():
            hint = BACKSLASHES
        raise ObtainError(f"{len(missing)} of {len(images)} images are missing, the first is {missing[0]}", hint)
