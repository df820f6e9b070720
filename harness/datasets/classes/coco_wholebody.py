"""COCO-WholeBody, whose people have 133 keypoints, and its faces and hands as separate data sets; UBody."""

from abc import abstractmethod
from pathlib import Path

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Annotated
from harness.datasets.inspect.wholebody import inspect_parts, inspect_whole
from harness.datasets.interface import DataFiles
from harness.datasets.labelled import LabelledPeople
from harness.datasets.people.coco import annotated_people, detected_people
from harness.datasets.people.people import People
from harness.datasets.people.wholebody import HANDS, Parts, faces, hands, whole_people
from harness.datasets.wholebody_file import NUM_KEYPOINTS, WholeBodyFile, read_wholebody
from harness.errors import SpecError


class CocoWholeBody(CocoStyle):
    """People, detected or annotated; annotated people without keypoints of the body are not evaluated."""

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the detected people, or the annotated ones with keypoints of the body."""
        file = read_wholebody(annotations)
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold, coco=file.coco)
        return annotated_people(annotations, images, coco=file.whole(annotations))

    def labelled(self, annotations: Path, num_keypoints: int) -> LabelledPeople:
        """Return the keypoints of all parts; a keypoint is visible if its flag is above 0."""
        self.check(num_keypoints, NUM_KEYPOINTS)
        return whole_people(annotations, read_wholebody(annotations))

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the keypoints of all parts."""
        return inspect_whole(read_wholebody(data / files.annotations), files)

    def check(self, stated: int, count: int) -> None:
        """Check that the config's metainfo has as many keypoints as the annotations.

        Raises:
            SpecError: The numbers differ.
        """
        if stated != count:
            raise SpecError(
                f"config field test_dataloader.dataset.metainfo: {stated} keypoints; {self.name} has {count}",
                f"leave it out, or name {self.metainfo}.py of MMPose's configs/_base_/datasets",
            )


class _PartsOfPeople(CocoWholeBody):
    """Faces or hands."""

    fields: tuple[str, ...]
    """The parts of a person that are samples."""
    num_keypoints: int

    @abstractmethod
    def parts(self, annotations: Path, file: WholeBodyFile) -> Parts:
        """Return all samples."""

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the detected parts, or the annotated ones that are marked as valid."""
        file = read_wholebody(annotations)
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold, coco=file.coco)
        return self.parts(annotations, file).people(annotations, file, images)

    def labelled(self, annotations: Path, num_keypoints: int) -> LabelledPeople:
        """Return their keypoints; a keypoint is visible if its flag, which may be a fraction, is not 0."""
        self.check(num_keypoints, self.num_keypoints)
        parts = self.parts(annotations, read_wholebody(annotations))
        return LabelledPeople(annotations, parts.ids, parts.keypoints, parts.visible != 0)

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the fields of these parts."""
        return inspect_parts(read_wholebody(data / files.annotations), files, self.fields)


class Faces(_PartsOfPeople):
    """Faces, whose boxes are cut to the image."""

    fields, num_keypoints = ("face",), 68

    def parts(self, annotations: Path, file: WholeBodyFile) -> Parts:
        """Return all faces."""
        return faces(annotations, file)


class Hands(_PartsOfPeople):
    """Left and right hands; neither is mirrored, and their boxes are not cut to the image."""

    fields, num_keypoints = HANDS, 21

    def parts(self, annotations: Path, file: WholeBodyFile) -> Parts:
        """Return all hands."""
        return hands(annotations, file)


PLUGINS = [
    CocoWholeBody("CocoWholeBodyDataset", metainfo="coco_wholebody"),
    CocoWholeBody("UBody2dDataset", metainfo="ubody2d"),
    Faces("CocoWholeBodyFaceDataset", metainfo="coco_wholebody_face"),
    Hands("CocoWholeBodyHandDataset", metainfo="coco_wholebody_hand"),
]
