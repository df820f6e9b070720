"""Annotation files of faces that have a centre and a scale in place of a box (300W, AFLW, WFLW)."""

from dataclasses import dataclass
from pathlib import Path

from harness.datasets.coco_file import CocoFile, coco_columns, read_document
from harness.datasets.columns import Numbers, number_lists, numbers
from harness.datasets.read_once import read_once


@dataclass(frozen=True)
class FaceFile:
    """A COCO-style annotation file with M annotated faces, and the fields that are read in place of `bbox`."""

    coco: CocoFile
    centers: Numbers
    """[M, 2] `center`, px"""
    scales: Numbers
    """[M] `scale`, in units of 200 px"""
    box_sizes: Numbers
    """[M] `box_size`, px (AFLW)"""


@read_once
def read_faces(path: Path) -> FaceFile:
    """Read an annotation file of faces.

    Raises:
        ObtainError: The file is missing or is not JSON.
        FormError: It is not an object with `images` and `annotations`, which are lists of objects.
    """
    document = read_document(path)
    faces = document["annotations"]
    coco = coco_columns(document)
    return FaceFile(coco, number_lists(faces, "center", 2), numbers(faces, "scale"), numbers(faces, "box_size"))
