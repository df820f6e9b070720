"""A miniature of MMPose's `data/` folder: rendered people, in the format and the layout of each data set.

It has what makes the real data sets hard: people who hide each other or are cut off at the image's edge, keypoints,
people and a crowd without labels, an image that shows nobody, boxes that are off, there twice, or where nobody is.
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
    """What the miniature has, by data set."""

    folder: Path
    """MMPose's `data/` folder."""
    coco: DataSet
    crowdpose: DataSet
    aic: DataSet
    humanart: DataSet
    mpii: DataSet
    jhmdb: DataSet
    """Of its first split."""
    posetrack18: DataSet
    faces: dict[str, DataSet]
    """Of 300w, 300wlp, aflw, cofw, wflw and lapa; of the first annotation file of each."""
    wholebody: DataSet
    """On COCO's images."""


def write_miniature(folder: Path) -> Miniature:
    """Render the miniature into a folder and return what it has."""
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
