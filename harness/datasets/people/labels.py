"""The labelled keypoints of people who are evaluated, as MMPose's data set classes give them to its metrics.

Source: mmpose/datasets/datasets/base/base_coco_style_dataset.py (`parse_data_info`) and body/mpii_dataset.py.
"""

from pathlib import Path

import numpy as np

from harness.arrays import Float32, Float64, Int64, usable
from harness.datasets.coco_file import read_coco
from harness.datasets.mpii_file import NUM_JOINTS, read_mpii
from harness.errors import ObtainError


def coco_labels(annotations: Path, ids: Int64, num_keypoints: int, *, one_based: bool = False) -> Float32:
    """Return the keypoints of some people of a COCO-style file, [N, K, 3]: x, y, image px from 0, and visibility.

    Args:
        annotations: The file.
        ids: [N] of annotations; of several with the same id the last holds, as in MMPose's index by id.
        num_keypoints: K
        one_based: The file counts pixels from 1 (JHMDB).

    Raises:
        ObtainError: Somebody has another number of keypoints, or they are not finite; names file and annotation.
    """
    people = read_coco(annotations).annotations
    order = np.argsort(people.ids.values, kind="stable")
    rows = order[np.searchsorted(people.ids.values[order], ids, side="right") - 1]
    found = people.keypoints.values[rows]
    if found.shape[1] != 3 * num_keypoints:
        raise ObtainError(
            f"{annotations}: 'keypoints' of annotation {ids[0]} must hold {3 * num_keypoints} numbers, x, y and "
            f"visibility of {num_keypoints} keypoints, not {found.shape[1]}",
            "name the annotation file of the data set whose metainfo the config states",
        )
    labels = _single(annotations, "'keypoints' of annotation", ids, found).reshape(-1, num_keypoints, 3)
    labels[..., :2] -= np.float32(one_based)
    return labels


def mpii_labels(annotations: Path, ids: Int64) -> Float32:
    """Return the joints of some people of mpii_val.json, [N, 16, 3]: x, y, px from 1, as MMPose has them; visibility.

    Raises:
        ObtainError: Joints are missing or not finite; names file and person.
    """
    people = read_mpii(annotations)
    joints = _single(annotations, "'joints' of person", ids, people.joints.values[ids]).reshape(-1, NUM_JOINTS, 2)
    visible = _single(annotations, "'joints_vis' of person", ids, people.visible.values[ids])
    return np.concatenate([joints, visible.reshape(-1, NUM_JOINTS, 1)], axis=2)


def _single(path: Path, what: str, ids: Int64, values: Float64) -> Float32:
    strange = ~usable(values).all(axis=1)
    if strange.any():
        raise ObtainError(
            f"{path}: {what} {ids[int(strange.argmax())]} must be finite numbers", "write 0, 0, 0 for one not labelled"
        )
    return values.astype(np.float32)
