"""A miniature of MMPose's `data/` folder: rendered people, in the format and the layout of each data set.

It contains the difficult cases of the real data sets: people who hide each other or are cut off at the image's edge,
unlabelled keypoints, people and crowds, an image without people, and shifted, duplicate and false boxes.
"""

from dataclasses import dataclass
from pathlib import Path

from . import aic, coco, crowdpose, faces, humanart, jhmdb, mpii, posetrack18, wholebody
from .figures import DataSet

__all__ = [
    "DataSet",
    "Miniature",
    "aic",
    "coco",
    "crowdpose",
    "faces",
    "humanart",
    "jhmdb",
    "mpii",
    "posetrack18",
    "wholebody",
    "write_miniature",
]


@dataclass(frozen=True)
class Miniature:
    """The content of the miniature, by data set."""

    folder: Path
    """MMPose's `data/` folder."""
    coco: DataSet
    crowdpose: DataSet
    aic: DataSet
    humanart: DataSet
    mpii: DataSet
    jhmdb: DataSet
    """Its first split."""
    posetrack18: DataSet
    faces: dict[str, DataSet]
    """300w, 300wlp, aflw, cofw, wflw and lapa, each with its first annotation file."""
    wholebody: DataSet
    """On COCO's images."""


def write_miniature(folder: Path) -> Miniature:
    """Render the miniature into a folder and return its content."""
    return Miniature(
        folder=folder,
        coco=coco.write(folder),
        crowdpose=crowdpose.write(folder),
        aic=aic.write(folder),
        humanart=humanart.write(folder),
        mpii=mpii.write(folder),
        jhmdb=jhmdb.write(folder),
        posetrack18=posetrack18.write(folder),
        faces=faces.write(folder),
        wholebody=wholebody.write(folder),
    )
