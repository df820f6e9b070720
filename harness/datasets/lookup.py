"""Finds a data set by the name of MMPose's class, and reads file names and videos of its images."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugins import plugin
from harness.protocol import DatasetPool

if TYPE_CHECKING:
    from harness.datasets.interface import DatasetClass


def dataset_class(name: str | DatasetPool, where: str = "config field test_dataloader.dataset.type") -> "DatasetClass":
    """Return a data set by the name of MMPose's class, e.g. CocoDataset; of a pool, the class with these parts.

    Raises:
        SpecError: The harness does not have the class; the message names `where`, the field with the name.
    """
    found: DatasetClass = plugin("datasets", name.name if isinstance(name, DatasetPool) else name, where)
    return found.of_pool(name) if isinstance(name, DatasetPool) else found


def file_names(dataset: str | DatasetPool, annotations: Path) -> dict[int, str]:
    """Return the file names of images by their ids; images without one of them are left out.

    Raises:
        SpecError: The harness does not have the data set's class.
        ObtainError: The file is missing or does not have the expected structure.
    """
    return dataset_class(dataset).file_names(annotations)


def videos(dataset: str | DatasetPool, annotations: Path, sequences: Path | None = None) -> dict[int, str] | None:
    """Return the video of each image by its id; None for a data set of single images.

    Args:
        dataset: MMPose's class, or a pool.
        annotations: The annotation file.
        sequences: The folder with a file for each video (PoseTrack18).

    Raises:
        SpecError: The harness does not have the data set's class.
        ObtainError: A file is missing or does not have the expected structure.
    """
    return dataset_class(dataset).videos(annotations, sequences)
