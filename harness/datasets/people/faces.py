"""Faces from annotation files that give a centre and a scale; their `bbox` is not read.

Source: mmpose/datasets/datasets/face/face_300w_dataset.py, aflw_dataset.py and wflw_dataset.py (`parse_data_info`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32
from harness.datasets.coco_file import are_crowds, by_image, image_positions, require_known
from harness.datasets.columns import Numbers
from harness.datasets.face_file import FaceFile, read_faces
from harness.datasets.people.people import People, boxes_about, square_sizes
from harness.errors import ObtainError, brief

ADVICE = "take MMPose's own annotation file, which has center (x, y, px), scale (in units of 200 px) and num_keypoints"


@dataclass(frozen=True)
class Squares:
    """The squares of M annotated faces, before padding; NaN where a centre or a scale is missing."""

    centers: Float32
    """[M, 2] px"""
    sizes: Float32
    """[M, 2] width and height, px; both are equal."""
    corners: Float32
    """[M, 4] x1, y1, x2, y2, px; may be outside of the image."""

    @classmethod
    def of(cls, faces: FaceFile) -> "Squares":
        """Return the squares of a file's faces, in MMPose's arithmetic (`bbox_cs2xyxy` in mmpose/structures/bbox)."""
        with np.errstate(over="ignore", invalid="ignore"):  # values that overflow are refused with the boxes
            centers = faces.centers.values.astype(np.float32)
            sizes = square_sizes(faces.scales.values)
            return cls(centers, sizes, boxes_about(centers, sizes))


def evaluable_faces(faces: FaceFile, squares: Squares) -> Bool:
    """Return which faces are evaluated, [M]: no crowd, not empty, a keypoint at x or y above 0, `num_keypoints` not 0.

    Source: `_is_valid_instance` of mmpose/datasets/datasets/base/base_coco_style_dataset.py.
    """
    people, keypoints = faces.coco.annotations, faces.coco.annotations.keypoints.values
    with np.errstate(over="ignore"):
        places = keypoints.reshape(len(people), keypoints.shape[1] // 3, 3)[..., :2].astype(np.float32)
    flat: Bool = (squares.corners[:, 2:] <= squares.corners[:, :2]).any(axis=1)
    nowhere: Bool = places.max(axis=(1, 2), initial=0) <= 0
    evaluable: Bool = ~are_crowds(people.crowds) & (people.counts.values != 0) & ~flat & ~nowhere
    return evaluable


def centred_faces(annotations: Path, images: Path, *, box_size: bool = False) -> People:
    """List the annotated faces that can be evaluated.

    Args:
        annotations: A COCO-style annotation file whose annotations have `center` and `scale`.
        images: The folder that its file names are relative to.
        box_size: MMPose requires `box_size` as well, although it does not use it (AFLW).

    Raises:
        ObtainError: The file is missing or does not have this structure, or no face in it can be evaluated.
    """
    faces = read_faces(annotations)
    coco, people = faces.coco, faces.coco.annotations
    image_ids, names = coco.listed(annotations)
    require_known(people.image_ids, "image_id", annotations)
    require_known(people.ids, "id", annotations)
    image_rows = image_positions(coco.images.ids, people.image_ids.values)
    listed = image_rows >= 0
    columns = {
        "center": faces.centers,
        "scale": faces.scales,
        "keypoints": people.keypoints,
        "num_keypoints": people.counts,
    } | ({"box_size": faces.box_sizes} if box_size else {})
    for field, column in columns.items():
        _check(annotations, faces, field, column, listed & ~column.known)
    _check(annotations, faces, "iscrowd", people.crowds, listed & ~people.crowds.given)
    if people.keypoints.values.shape[1] % 3:
        _check(annotations, faces, "keypoints", people.keypoints, listed)

    squares = Squares.of(faces)
    _, rows = by_image(coco)
    rows = rows[evaluable_faces(faces, squares)[rows]]
    if not len(rows):
        raise ObtainError(f"no face in {annotations} has keypoints and a scale: 0 of {len(people)} annotations", ADVICE)
    return People(
        ids=people.ids.values[rows],
        image_ids=people.image_ids.values[rows],
        boxes=squares.corners[rows],
        scores=np.ones(len(rows), np.float32),
        centers=squares.centers[rows],
        sizes=squares.sizes[rows],
        images={int(image_ids[row]): images / names[row] for row in dict.fromkeys(image_rows[rows].tolist())},
    )


def _check(path: Path, faces: FaceFile, field: str, column: Numbers, strange: Bool) -> None:
    """Check that no annotation is marked in `strange`, [M], as missing or garbled.

    Raises:
        ObtainError: One is marked; the message names the first.
    """
    if strange.any():
        row = int(strange.argmax())
        found = brief(column.odd.get(row, column.values[row].tolist())) if column.given[row] else "missing"
        raise ObtainError(f"annotation {faces.coco.annotations.ids.values[row]} of {path}: {field} is {found}", ADVICE)
