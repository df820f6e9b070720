"""The interface of a data set class of MMPose.

A new class is a module with a `PLUGIN` in `harness/datasets/classes/`, or an entry point of the group
`pose_harness.datasets` in another package (see `harness.plugins`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.inspect.people import Annotated, Rules
from harness.datasets.labelled import LabelledPeople, labelled_people
from harness.datasets.people.people import People
from harness.errors import SpecError
from harness.protocol import DatasetPool


@dataclass(frozen=True)
class DataFiles:
    """The files that some of a suite's runs read; paths are relative to the data folder."""

    dataset: str | DatasetPool
    """MMPose's class that reads them, e.g. CocoDataset, or several data sets."""
    annotations: str
    images: str
    boxes: tuple[tuple[str, float | None], ...]
    """Box files, each with its score threshold."""
    ground_truth: bool
    """Whether runs evaluate annotated boxes."""
    rules: Rules
    headboxes: str | None = None
    sequences: str | None = None

    @property
    def named(self) -> list[str]:
        """The paths of all files and folders; if none exists, the data set is absent."""
        paths = [self.annotations, self.images, *(path for path, _ in self.boxes), self.headboxes, self.sequences]
        return [path for path in paths if path]


class DatasetClass(ABC):
    """A data set class of MMPose.

    Args:
        name: MMPose's class, e.g. CocoDataset.
        metainfo: The default for configs without one: the stem of a file in MMPose's configs/_base_/datasets, or the
            `dataset_info` of such a file.
        one_based: Annotations count pixels from 1.
        corners_published: The box file that MMPose publishes holds x1, y1, x2, y2, and MMPose reads them as x, y,
            width, height.
        moved_by_numpy_2: MMPose's own code gives other crops with NumPy 2 than with NumPy 1.
    """

    def __init__(
        self,
        name: str,
        metainfo: str | Mapping[str, Any],
        *,
        one_based: bool = False,
        corners_published: bool = False,
        moved_by_numpy_2: bool = False,
    ) -> None:
        self.name = name
        self.metainfo = metainfo
        self.one_based = one_based
        self.corners_published = corners_published
        self.moved_by_numpy_2 = moved_by_numpy_2

    def metainfo_of(self, settings: Mapping[str, Any]) -> str | Mapping[str, Any]:
        """Return the metainfo for a config whose `test_dataloader.dataset` names none.

        Raises:
            SpecError: MMPose's class does not have a value of the settings.
        """
        return self.metainfo

    def of_pool(self, pool: DatasetPool) -> "DatasetClass":
        """Return the class that reads the data sets of a pool.

        Raises:
            SpecError: This class reads a single data set.
        """
        raise SpecError(f"dataset: {self.name} reads a single data set, not {len(pool.parts)}")

    @abstractmethod
    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the people to be evaluated, in MMPose's order; see `harness.datasets.people.load_people`."""

    @abstractmethod
    def file_names(self, annotations: Path) -> dict[int, str]:
        """Return the file names of images by their ids; see `harness.datasets.lookup.file_names`."""

    def labelled(self, annotations: Path, num_keypoints: int) -> LabelledPeople:
        """Return the labelled keypoints of all annotated people, by default those of a COCO-style file's `keypoints`.

        Raises:
            ObtainError: The annotation file is missing or does not have the expected structure.
        """
        return labelled_people(annotations, num_keypoints, one_based=self.one_based)

    def videos(self, annotations: Path, sequences: Path | None) -> dict[int, str] | None:
        """Return the video of each image by its id; None for single images."""
        return None

    @abstractmethod
    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Return the counts and problems of annotations, for `harness check --data`.

        Raises:
            ObtainError: The annotation file is missing or does not have the expected structure.
        """
