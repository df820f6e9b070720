"""COCO-WholeBody's annotation file: a COCO file with the keypoints, boxes and flags of feet, faces and hands added.

Source: github.com/jin-s13/COCO-WholeBody, data_format.md; MMPose's classes that read it are in
mmpose/datasets/datasets/wholebody/coco_wholebody_dataset.py, face/coco_wholebody_face_dataset.py and
hand/coco_wholebody_hand_dataset.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.arrays import Bool
from harness.datasets.coco_file import CocoFile, coco_columns, read_document
from harness.datasets.columns import Numbers, number_lists, numbers
from harness.datasets.read_once import read_once
from harness.errors import ObtainError, brief

FIELDS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
"""The fields of an annotation that hold its 133 keypoints, in their order, with the number of keypoints in each."""
NUM_KEYPOINTS = sum(FIELDS.values())
BODY = FIELDS["keypoints"]
BOXED = ("face", "lefthand", "righthand")
"""The parts with a box, PART_box, and a flag, PART_valid."""
OFFICIAL = "take coco_wholebody_val_v1.0.json of github.com/jin-s13/COCO-WholeBody, or write all of its fields"


@dataclass(frozen=True)
class WholeBodyFile:
    """An annotation file; missing or garbled fields are marked, not refused."""

    coco: CocoFile
    """Its content as a COCO file, with the keypoints of the body."""
    keypoints: Mapping[str, Numbers]
    """[M, 3 n] x, y, visibility, by field of FIELDS; of hands, the visibility may be a fraction."""
    boxes: Mapping[str, Numbers]
    """[M, 4] x, y, width, height, px, by part of BOXED."""
    valid: Mapping[str, Numbers]
    """[M] by part of BOXED."""

    def whole(self, path: Path) -> CocoFile:
        """Return the file with all 133 keypoints in place of the body's.

        Raises:
            ObtainError: An annotation lacks keypoints, `num_keypoints` or `bbox`, which MMPose requires; names `path`,
                the annotation and the field.
        """
        people = self.coco.annotations
        for field, count in FIELDS.items():
            self.require(path, field, self.keypoints[field], 3 * count)
        self.require(path, "num_keypoints", people.counts)
        self.require(path, "bbox", people.boxes, 4)
        return self.joined

    @property
    def joined(self) -> CocoFile:
        """The file with all 133 keypoints in place of the body's; missing or garbled fields are marked."""
        columns = [self.keypoints[field] for field in FIELDS]
        keypoints = Numbers(
            np.concatenate([column.values for column in columns], axis=1),
            np.logical_and.reduce([column.given for column in columns]),
            {row: value for column in columns for row, value in column.odd.items()},
        )
        return replace(self.coco, annotations=replace(self.coco.annotations, keypoints=keypoints))

    def require(
        self, path: Path, field: str, column: Numbers, length: int | None = None, rows: Bool | None = None
    ) -> None:
        """Check that annotations, or those of a mask [M], have a number, or a list of `length` numbers.

        Raises:
            ObtainError: An annotation has another value; the message names the first one and the value.
        """
        wrong = ~column.known if rows is None else ~column.known & rows
        if not wrong.any():
            return
        row = int(wrong.argmax())
        ids = self.coco.annotations.ids
        name = f"{path}: '{field}' of {brief(ids.odd.get(row, int(ids.values[row])))} in 'annotations'"
        if not column.given[row]:
            raise ObtainError(f"{name} is missing", OFFICIAL)
        found = column.odd.get(row, column.values[row].tolist())
        if length is None:
            raise ObtainError(f"{name} must be a number, not {brief(found)}", OFFICIAL)
        many = isinstance(found, list) and len(found) != length
        what = f"{len(found)} values" if many else brief(found)
        raise ObtainError(f"{name} must hold {length} numbers, not {what}", OFFICIAL)


@read_once
def read_wholebody(path: Path) -> WholeBodyFile:
    """Read an annotation file.

    Raises:
        ObtainError: The file is missing or is not JSON.
        FormError: It is not an object with `images` and `annotations`, which are lists of objects.
    """
    document = read_document(path)
    people = document["annotations"]
    return WholeBodyFile(
        coco_columns(document),
        keypoints={field: number_lists(people, field, 3 * count) for field, count in FIELDS.items()},
        boxes={part: number_lists(people, f"{part}_box", 4) for part in BOXED},
        valid={part: numbers(people, f"{part}_valid") for part in BOXED},
    )
