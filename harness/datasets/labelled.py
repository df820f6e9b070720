"""Labelled keypoints of annotated people, equal to those that MMPose's class gives an evaluator (`gt_instances`).

Source: mmpose/datasets/datasets/base/base_coco_style_dataset.py (`parse_data_info`) and the classes derived from it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Floating, Indices, Int64, positions, usable
from harness.datasets.coco_file import read_coco
from harness.datasets.columns import WHOLE_NUMBERS, Integers, Numbers
from harness.errors import ObtainError, RunError, brief, counted

KEYPOINTS_ADVICE = "write x, y, visibility of each keypoint, or an empty list for a person without keypoints"


@dataclass(frozen=True)
class LabelledPeople:
    """M annotated people with K keypoints, in the order of the annotation file."""

    path: Path
    """The annotation file, for messages."""
    ids: Int64
    """[M] the annotations' ids; of several with one id, MMPose uses the last."""
    keypoints: Floating
    """[M, K, 2] x, y, image px counted from 0; 0, 0 where the file has none. Single precision, as in MMPose; double
    precision for several data sets together."""
    visible: Bool
    """[M, K] whether the visibility is not 0; MMPose's `keypoints_visible` as a boolean."""

    def places(self, person_ids: Int64) -> Indices:
        """Return the indices of N people among these, [N].

        Raises:
            RunError: A person is not annotated.
        """
        places = positions(self.ids, person_ids)
        strays = np.unique(person_ids[places < 0])
        if len(strays):
            people = counted(len(strays), "person", "people")
            raise RunError(f"predictions of {people} that {self.path} does not have, such as {strays[0]}")
        return places


def labelled_people(annotations: Path, num_keypoints: int, *, one_based: bool = False) -> LabelledPeople:
    """Return the people of a COCO-style annotation file with the keypoints of `keypoints`.

    Args:
        annotations: The file.
        num_keypoints: K.
        one_based: The file counts pixels from 1.

    Raises:
        ObtainError: The file is missing or does not have the expected structure, or keypoints are garbled; names the
            annotation.
    """
    people = read_coco(annotations).annotations
    return as_labelled(annotations, people.ids, people.keypoints, num_keypoints, "keypoints", one_based=one_based)


def as_labelled(
    path: Path, ids: Integers, column: Numbers, num_keypoints: int, field: str, *, one_based: bool = False
) -> LabelledPeople:
    """Return people whose keypoints are the 3 K numbers of a field; a person without the field has none.

    Args:
        path: The annotation file, for messages.
        ids: [M] of the annotations.
        column: [M, 3 K] x, y, visibility.
        num_keypoints: K.
        field: The name of the column, for messages.
        one_based: Pixels count from 1.

    Raises:
        ObtainError: An id or a field is garbled; names the annotation.
    """
    if ids.odd:
        first = min(ids.odd)
        raise ObtainError(f"{path}: annotations[{first}] has no id: it is {brief(ids.odd[first])}", WHOLE_NUMBERS)
    wanted = 3 * num_keypoints
    numbers = column.values if column.values.shape[1] == wanted else np.full((len(ids), wanted), np.nan)
    good = ~column.given | (column.known & usable(numbers).all(axis=1))
    if not good.all():
        first = int(good.argmin())
        found = brief(column.odd.get(first, column.values[first].tolist()))
        raise ObtainError(
            f"{path}: annotation {ids.values[first]}: {field} must hold {wanted} finite numbers, not {found}",
            KEYPOINTS_ADVICE,
        )
    points = np.where(column.given[:, None], numbers, 0).astype(np.float32).reshape(-1, num_keypoints, 3)
    return LabelledPeople(path, ids.values, points[..., :2] - np.float32(one_based), points[..., 2] != 0)
