"""Data sets of faces that have a centre and a scale in place of a box: 300W, AFLW, WFLW."""

from pathlib import Path

from harness.datasets.coco_style import CocoStyle
from harness.datasets.face_file import read_faces
from harness.datasets.inspect.faces import inspect_faces
from harness.datasets.inspect.people import Annotated
from harness.datasets.interface import DataFiles
from harness.datasets.people.coco import detected_people
from harness.datasets.people.faces import centred_faces
from harness.datasets.people.people import People


class CentredFaces(CocoStyle):
    """Faces, whose squares have a side of `scale` times 200 px before padding.

    Args:
        name: MMPose's class.
        metainfo: As for any data set.
        box_size: MMPose's class requires `box_size`, too.
    """

    def __init__(self, name: str, metainfo: str, *, box_size: bool = False) -> None:
        super().__init__(name, metainfo)
        self.box_size = box_size

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the detected faces, or the annotated ones that can be evaluated."""
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold)
        return centred_faces(annotations, images, box_size=self.box_size)

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the annotation file."""
        faces = read_faces(data / files.annotations)
        return inspect_faces(files.annotations, faces, files, box_size=self.box_size)
