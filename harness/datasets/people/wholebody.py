"""Faces and hands of COCO-WholeBody's people, each of which is a separate sample.

Source: mmpose/datasets/datasets/face/coco_wholebody_face_dataset.py and hand/coco_wholebody_hand_dataset.py.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32, Float64, Indices, Int64, usable, what_is_unusable
from harness.datasets.coco_file import are_crowds, by_image, require_known
from harness.datasets.labelled import LabelledPeople, as_labelled
from harness.datasets.people.people import People
from harness.datasets.wholebody_file import FIELDS, NUM_KEYPOINTS, OFFICIAL, WholeBodyFile
from harness.errors import ObtainError, brief

HANDS = ("lefthand", "righthand")
"""The order of a person's hands."""


@dataclass(frozen=True)
class Parts:
    """N faces, or N hands, with K keypoints each, in MMPose's order."""

    ids: Int64
    """[N] a face has the id of its annotation; a hand has its index among the hands that are marked as valid."""
    image_rows: Indices
    """[N] index into the file's images."""
    boxes: Float32
    """[N, 4] x1, y1, x2, y2, image px."""
    keypoints: Float32
    """[N, K, 2] x, y, image px."""
    visible: Float32
    """[N, K] the visibility, limited to 1; COCO-WholeBody has fractions for right hands."""

    def people(self, path: Path, file: WholeBodyFile, images: Path) -> People:
        """Return them as people to be evaluated.

        Args:
            path: The annotation file.
            file: Its content.
            images: The folder that its file names are relative to.

        Raises:
            ObtainError: An image has no id or file name.
        """
        image_ids, names = file.coco.listed(path)
        files = {int(image_ids[row]): images / names[row] for row in dict.fromkeys(self.image_rows.tolist())}
        return People.from_boxes(self.ids, image_ids[self.image_rows], self.boxes, np.ones(len(self.ids)), files)


def faces(path: Path, file: WholeBodyFile) -> Parts:
    """Return the faces that are marked as valid and have keypoints and a box inside of the image.

    Raises:
        ObtainError: A field is missing or garbled, or there is no face; names the annotation and the field.
    """
    image_rows, rows = _people(path, file)
    marked = _marked(path, file, "face", rows)
    image_rows, rows = image_rows[marked], rows[marked]
    widths, heights = file.coco.images.widths, file.coco.images.heights
    for field, column in (("width", widths), ("height", heights)):
        if not column.known[image_rows].all():
            row = int(image_rows[int(column.known[image_rows].argmin())])
            raise ObtainError(
                f"{path}: '{field}' of images[{row}] is not a number: {brief(column.odd.get(row))}", OFFICIAL
            )
    sizes = np.column_stack([widths.values, heights.values])[image_rows]
    # Computed in double precision and then rounded, as in MMPose.
    xywh = file.boxes["face"].values[rows]
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    boxes = np.clip(corners, 0, np.tile(sizes - 1, 2)).astype(np.float32)
    points = file.keypoints["face_kpts"].values[rows]
    return _samples(path, "face", file.coco.annotations.ids.values[rows], image_rows, boxes, points)


def hands(path: Path, file: WholeBodyFile) -> Parts:
    """Return the hands that are marked as valid and have keypoints and a box; their boxes may leave the image.

    Raises:
        ObtainError: A field is missing or garbled, or there is no hand; names the annotation and the field.
    """
    image_rows, rows = _people(path, file)
    marked = np.stack([_marked(path, file, hand, rows) for hand in HANDS], axis=1)
    person, side = np.nonzero(marked)
    image_rows, rows = image_rows[person], rows[person]
    xywh = np.stack([file.boxes[hand].values for hand in HANDS])[side, rows].astype(np.float32)
    boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    points = np.stack([file.keypoints[f"{hand}_kpts"].values for hand in HANDS])[side, rows]
    return _samples(path, "hand", np.arange(len(rows)), image_rows, boxes, points)


def _people(path: Path, file: WholeBodyFile) -> tuple[Indices, Indices]:
    """Return indices of images and of annotations that are not crowds, image by image, [M] each.

    Raises:
        ObtainError: An annotation has no id or no image_id.
    """
    people = file.coco.annotations
    require_known(people.ids, "id", path)
    require_known(people.image_ids, "image_id", path)
    image_rows, rows = by_image(file.coco)
    apart = ~are_crowds(people.crowds)[rows]
    return image_rows[apart], rows[apart]


def _marked(path: Path, file: WholeBodyFile, part: str, rows: Indices) -> Bool:
    """Return which of some annotations, [M], have a part that is marked as valid and is not all zeros."""
    field = f"{part}_kpts"
    among = np.zeros(len(file.coco.annotations), bool)
    among[rows] = True
    file.require(path, f"{part}_valid", file.valid[part], rows=among)
    marked = among & (file.valid[part].values != 0)
    file.require(path, field, file.keypoints[field], 3 * FIELDS[field], rows=marked)
    marked &= file.keypoints[field].values.max(axis=1, initial=-np.inf) > 0
    file.require(path, f"{part}_box", file.boxes[part], 4, rows=marked)
    of_rows: Bool = marked[rows]
    return of_rows


def _samples(path: Path, what: str, ids: Int64, image_rows: Indices, boxes: Float32, numbers: Float64) -> Parts:
    """Return the parts whose box has an area and that have a keypoint with positive x or y."""
    broken = ~usable(numbers).all(axis=1)
    if broken.any():
        first = int(broken.argmax())
        raise ObtainError(f"{path}: keypoints of {what} {ids[first]} are {what_is_unusable(numbers[first])}", OFFICIAL)
    points = numbers.astype(np.float32).reshape(len(ids), numbers.shape[1] // 3, 3)
    good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (points[..., :2].max(axis=(1, 2), initial=0) > 0)
    if not good.any():
        raise ObtainError(f"no person in {path} has a {what} with keypoints and a box", OFFICIAL)
    return Parts(ids[good], image_rows[good], boxes[good], points[good][..., :2], np.minimum(1, points[good][..., 2]))


def whole_people(path: Path, file: WholeBodyFile) -> LabelledPeople:
    """Return all annotated people with their 133 keypoints; a keypoint is visible if its flag is above 0.

    Raises:
        ObtainError: A field is missing or garbled; names the annotation and the field.
    """
    people = file.whole(path).annotations
    labelled = as_labelled(path, people.ids, people.keypoints, NUM_KEYPOINTS, "keypoints")
    return replace(labelled, visible=people.keypoints.values[:, 2::3] > 0)
