"""Several data sets whose people are evaluated as one (mmpose/datasets/dataset_wrappers.py, CombinedDataset).

People are those of the parts, one part after the other, each in the order of its own class. Ids of people and of images
repeat between parts. Here, of P parts, the id n of the part number k, counted from 0, becomes n * P + k.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.datasets.findings import inspect_annotations
from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.people import Annotated
from harness.datasets.interface import DataFiles, DatasetClass
from harness.datasets.labelled import LabelledPeople
from harness.datasets.lookup import dataset_class
from harness.datasets.people.people import People
from harness.errors import ObtainError, SpecError
from harness.protocol import DatasetPool, PooledDataset

NAME = "CombinedDataset"


class Combined(DatasetClass):
    """Several data sets.

    Args:
        pool: Its parts; None for the class that `of_pool` is called of.
    """

    def __init__(self, pool: DatasetPool | None = None) -> None:
        parts = [dataset_class(part.dataset) for part in pool.parts] if pool else []
        super().__init__(NAME, {}, moved_by_numpy_2=any(part.moved_by_numpy_2 for part in parts))
        self._pool = pool

    def of_pool(self, pool: DatasetPool) -> "Combined":
        """Return the class with these parts."""
        return Combined(pool)

    @property
    def parts(self) -> tuple[PooledDataset, ...]:
        """The parts, in MMPose's order.

        Raises:
            SpecError: The class has none.
        """
        if self._pool is None:
            raise SpecError(f"dataset: {NAME} has no parts", "name the data sets in test_dataloader.dataset.datasets")
        return self._pool.parts

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the annotated people of all parts; the images are in the folders of the parts.

        Raises:
            ObtainError: A box file is given: detections have no ids of a part; or as for the parts.
        """
        if box_file is not None:
            raise ObtainError(f"{box_file}: several data sets have no common box file", "use the annotated boxes")
        root = self._root(annotations)
        people: list[People] = []
        for number, part in enumerate(self.parts):
            path = root / part.annotations.path
            one = dataset_class(part.dataset).people(path, root / part.images, None, None)
            people.append(
                replace(
                    one,
                    ids=self._unique(one.ids, number, path),
                    image_ids=self._unique(one.image_ids, number, path),
                    images={self._unique_id(image, number): file for image, file in one.images.items()},
                )
            )
        return People(
            ids=np.concatenate([one.ids for one in people]),
            image_ids=np.concatenate([one.image_ids for one in people]),
            boxes=np.concatenate([one.boxes for one in people]),
            scores=np.concatenate([one.scores for one in people]),
            centers=np.concatenate([one.centers for one in people]),
            sizes=np.concatenate([one.sizes for one in people]),
            images={image: file for one in people for image, file in one.images.items()},
        )

    def file_names(self, annotations: Path) -> dict[int, str]:
        """Return the file names of images by their ids, relative to the data folder."""
        return {
            self._unique_id(image, number): f"{part.images}/{name}"
            for number, part, path in self._files(annotations)
            for image, name in dataset_class(part.dataset).file_names(path).items()
        }

    def labelled(self, annotations: Path, num_keypoints: int) -> LabelledPeople:
        """Return the labelled keypoints of all parts' people in the evaluated order.

        As in MMPose, places are double precision, although each is a number, or a mean of numbers, of single precision.
        """
        keypoints: list[Float64] = []
        visible: list[Bool] = []
        ids: list[Int64] = []
        for number, part, path in self._files(annotations):
            own = dataset_class(part.dataset).labelled(path, part.num_keypoints)
            places, flags = _converted(own, part, num_keypoints)
            keypoints.append(places)
            visible.append(flags)
            ids.append(self._unique(own.ids, number, path))
        return LabelledPeople(annotations, np.concatenate(ids), np.concatenate(keypoints), np.concatenate(visible))

    def videos(self, annotations: Path, sequences: Path | None) -> dict[int, str] | None:
        """Return the video of each image by its id: its folder, if its part has videos, else the image itself."""
        names = self.file_names(annotations)
        with_videos = [_has_videos(part) for part in self.parts]
        if not any(with_videos):
            return None
        return {
            image: str(PurePosixPath(name).parent) if with_videos[image % len(self.parts)] else f"{image} {name}"
            for image, name in names.items()
        }

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the annotation files of all parts."""
        found: list[Annotated] = []
        for part in self.parts:
            of_part = dataset_class(part.dataset)
            rules = replace(
                files.rules, num_keypoints=part.num_keypoints, one_based=of_part.one_based, names=(), sigmas=()
            )
            own = replace(
                files, dataset=part.dataset, annotations=part.annotations.path, images=part.images, rules=rules
            )
            found.append(inspect_annotations(own, data))
        numbered = list(enumerate(zip(self.parts, found, strict=True)))
        return Annotated(
            images=ImageList(
                ids=tuple(self._unique_id(image, n) for n, (_, one) in numbered for image in one.images.ids),
                names=tuple(f"{part.images}/{name}" for _, (part, one) in numbered for name in one.images.names),
                sizes=np.concatenate([one.images.sizes for one in found]),
                has_people=np.concatenate([one.images.has_people for one in found]),
                reach=np.concatenate([np.broadcast_to(one.images.reach, one.images.sizes.shape) for one in found]),
            ),
            annotations=sum(one.annotations for one in found),
            people=sum(one.people for one in found),
            problems=tuple(problem for one in found for problem in one.problems),
        )

    def _files(self, annotations: Path) -> Iterator[tuple[int, PooledDataset, Path]]:
        """Yield the number of each part, the part, and its annotation file."""
        root = self._root(annotations)
        for number, part in enumerate(self.parts):
            yield number, part, root / part.annotations.path

    def _root(self, annotations: Path) -> Path:
        """Return the data folder, which the annotation file of the first part is in."""
        return annotations.parents[len(PurePosixPath(self.parts[0].annotations.path).parts) - 1]

    def _unique_id(self, own: int, number: int) -> int:
        return own * len(self.parts) + number

    def _unique(self, own: Int64, number: int, path: Path) -> Int64:
        """Return ids that are unique among all parts, [N].

        Raises:
            ObtainError: An id is too large.
        """
        largest = 2**62 // len(self.parts)
        if (np.abs(own) > largest).any():
            raise ObtainError(
                f"{path}: an id is above {largest}, too large to be made unique among {len(self.parts)} data sets"
            )
        return own * len(self.parts) + number


def _converted(own: LabelledPeople, part: PooledDataset, num_keypoints: int) -> tuple[Float64, Bool]:
    """Return a part's M people in the evaluated order: places [M, K, 2], image px, and which are labelled, [M, K]."""
    if part.mapping is None:
        return own.keypoints.astype(np.float64), own.visible
    places = np.zeros((len(own.ids), num_keypoints, 2))
    visible = np.zeros((len(own.ids), num_keypoints), bool)
    target, one, other = np.array(part.mapping, np.intp).reshape(-1, 3).T
    places[:, target] = np.float32(0.5) * (own.keypoints[:, one] + own.keypoints[:, other])
    visible[:, target] = own.visible[:, one] & own.visible[:, other]
    return places, visible


def _has_videos(part: PooledDataset) -> bool:
    return type(dataset_class(part.dataset)).videos is not DatasetClass.videos


PLUGIN = Combined()
