"""PoseTrack18, whose ground truth is a folder with a file for each video; people to predict are in a merged file."""

from dataclasses import replace
from pathlib import Path

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Annotated
from harness.datasets.inspect.sequences import inspect_sequences
from harness.datasets.interface import DataFiles
from harness.datasets.posetrack_files import read_posetrack
from harness.errors import ObtainError


class PoseTrack18(CocoStyle):
    """Frames of videos."""

    def videos(self, annotations: Path, sequences: Path | None) -> dict[int, str]:
        """Return the name of each image's ground-truth file by the image's id; each video has a file.

        Raises:
            ObtainError: The folder is not given, or one of its files cannot be read.
        """
        if sequences is None:
            raise ObtainError(
                f"the videos of {annotations} are unknown without the per-sequence ground truth",
                "put PoseTrack18's annotations/val beside it",
            )
        files = read_posetrack(sequences)
        return {image: file.name for file in files for image in file.read().image_ids.values.tolist()}

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the annotation file and, where the metric reads them, the files of the videos."""
        annotated = super().inspect(data, files)
        if files.sequences is None:
            return annotated
        image_ids = frozenset(annotated.images.ids)
        count, problems = inspect_sequences(data, files.sequences, files.annotations, image_ids)
        return replace(annotated, sequences=count, problems=(*annotated.problems, *problems))


PLUGIN = PoseTrack18("PoseTrack18Dataset", metainfo="posetrack18")
