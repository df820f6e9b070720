"""PoseTrack18's annotations, a folder with a file for each video sequence, as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.columns import FormError, Integers, Numbers, integers, number_lists, records
from harness.datasets.read_once import read_once
from harness.errors import ObtainError
from harness.files import read_json

FORM = "it is not an object with `images` and `annotations`"


@dataclass(frozen=True)
class SequenceAnnotations:
    """I frames and M annotated people; missing or garbled fields are marked, not refused."""

    keypoint_names: tuple[str, ...] | None
    """[K] the names in the file's category; None where it has none."""
    image_ids: Integers
    """[I]"""
    ignore_regions: tuple[tuple[Any, Any], ...]
    """[I] `ignore_regions_x` and `ignore_regions_y`, unchanged."""
    person_images: Integers
    """[M] `image_id`"""
    keypoints: Numbers
    """[M, 3 K] x, y, visibility"""
    heads: Numbers
    """[M, 4] `bbox_head`: x, y, width, height, px"""


@dataclass(frozen=True)
class SequenceFile:
    """A file of the folder."""

    name: str
    sequence: SequenceAnnotations | ObtainError
    """The content, or the error of reading it."""

    def read(self) -> SequenceAnnotations:
        """Return the content.

        Raises:
            ObtainError: The file is not JSON.
            FormError: It does not have the structure of a PoseTrack18 sequence.
        """
        if isinstance(self.sequence, ObtainError):
            raise self.sequence
        return self.sequence


@read_once
def read_posetrack(folder: Path) -> tuple[SequenceFile, ...]:
    """Return the *.json files of a folder, sorted by name; an unreadable file holds its error."""
    return tuple(SequenceFile(path.name, _sequence(path)) for path in sorted(folder.glob("*.json")))


def _sequence(path: Path) -> SequenceAnnotations | ObtainError:
    try:
        document: Any = read_json(path, "the ground truth of a sequence")
    except ObtainError as error:
        return error
    if isinstance(document, dict) and "annolist" in document:
        return FormError(path, "in the format of PoseTrack 2017", "use the annotations of PoseTrack18")
    if not isinstance(document, dict):
        return FormError(path, FORM)
    for field in ("images", "annotations"):
        if not records(document.get(field)):
            return FormError(path, f"`{field}` is not a list of objects")
    images, people = document["images"], document["annotations"]
    return SequenceAnnotations(
        keypoint_names=_keypoint_names(document.get("categories")),
        image_ids=integers(images, "id"),
        ignore_regions=tuple(
            (image.get("ignore_regions_x", ()), image.get("ignore_regions_y", ())) for image in images
        ),
        person_images=integers(people, "image_id"),
        keypoints=number_lists(people, "keypoints"),
        heads=number_lists(people, "bbox_head", 4),
    )


def _keypoint_names(categories: Any) -> tuple[str, ...] | None:
    names = categories[0].get("keypoints") if records(categories) and categories else None
    return tuple(names) if isinstance(names, list) and set(map(type, names)) <= {str} else None
