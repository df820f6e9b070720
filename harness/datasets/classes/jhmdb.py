"""JHMDB, whose pixels count from 1 and whose images are in a folder for each video."""

from pathlib import Path, PurePosixPath

from harness.datasets.coco_file import read_coco
from harness.datasets.coco_style import CocoStyle


class Jhmdb(CocoStyle):
    """Frames of videos."""

    def videos(self, annotations: Path, sequences: Path | None) -> dict[int, str]:
        """Return the folder of each image by its id; each video has a folder."""
        ids, names = read_coco(annotations).listed(annotations)
        return {image: str(PurePosixPath(name).parent) for image, name in zip(ids.tolist(), names, strict=True)}


PLUGIN = Jhmdb("JhmdbDataset", metainfo="jhmdb", one_based=True)
