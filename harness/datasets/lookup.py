"""A data set by the name of MMPose's class, and what its annotations say of images."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugins import plugin

if TYPE_CHECKING:
    from harness.datasets.interface import DatasetClass


def dataset_class(name: str, where: str = "config field test_dataloader.dataset.type") -> "DatasetClass":
    """Return a data set by the name of MMPose's class, e.g. CocoDataset.

    Raises:
        SpecError: It is not one that is evaluated here; `where` says in the error what asks for it.
    """
    found: DatasetClass = plugin("datasets", name, where)
    return found


def file_names(dataset: str, annotations: Path) -> dict[int, str]:
    """Return the file names of images by their ids, as far as the annotation file has both.

    Raises:
        SpecError: The data set is not one that is evaluated here.
        ObtainError: The file is missing or not of its form.
    """
    return dataset_class(dataset).file_names(annotations)


def videos(dataset: str, annotations: Path, sequences: Path | None = None) -> dict[int, str] | None:
    """Return the video of each image by its id; None for a data set of single images.

    Args:
        dataset: MMPose's class.
        annotations: The annotation file.
        sequences: The folder with a file for each video (PoseTrack18).

    Raises:
        SpecError: The data set is not one that is evaluated here.
        ObtainError: A file is missing or not of its form.
    """
    return dataset_class(dataset).videos(annotations, sequences)
