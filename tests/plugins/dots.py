"""A custom data set: a JSON list of people, each with an image's number, a box and points."""

from pathlib import Path

import numpy as np

from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.people import Annotated
from harness.datasets.interface import DataFiles, DatasetClass
from harness.datasets.people import People
from harness.files import read_json


class Dots(DatasetClass):
    """People in boxes x1, y1, x2, y2, in images named by their number."""

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """Return all people."""
        people = read_json(annotations, "the dots")
        ids = [person["id"] for person in people]
        image_ids = [person["image"] for person in people]
        boxes = [np.array(person["box"], np.float32) for person in people]
        files = {number: images / name for number, name in self.file_names(annotations).items()}
        return People.from_boxes(ids, image_ids, boxes, [1.0] * len(ids), files)

    def file_names(self, annotations: Path) -> dict[int, str]:
        """Return the file names of images by their numbers."""
        return {person["image"]: person["name"] for person in read_json(annotations, "the dots")}

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Count images and people."""
        names = self.file_names(data / files.annotations)
        images = ImageList(
            tuple(names), tuple(names.values()), np.full((len(names), 2), np.nan), np.ones(len(names), bool)
        )
        people = len(read_json(data / files.annotations, "the dots"))
        return Annotated(images, annotations=people, people=people, problems=())


DOTS = Dots("DotsDataset", metainfo="coco")
