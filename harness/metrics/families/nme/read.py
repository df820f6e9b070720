"""Reads the settings of a config's NME evaluator.

Source: `NME` in mmpose/evaluation/metrics/keypoint_2d_metrics.py.
"""

from collections.abc import Sequence
from typing import Any

from harness.errors import SpecError, brief
from harness.metrics.evaluator import one_of
from harness.metrics.families.nme.scoring import NmeScoring
from harness.suites.metainfo import Metainfo, read_metainfo

FIELD = "config field test_evaluator."
EYE_CORNERS_OF_68 = (36, 45)
"""The outer eye corners among the 68 landmarks of 300W."""
DEFAULT_INDICES = {
    "horse10": (0, 1),
    "300w": EYE_CORNERS_OF_68,
    "coco_wholebody_face": EYE_CORNERS_OF_68,
    "cofw": (8, 9),
    "wflw": (60, 72),
    "lapa": (66, 79),
}
"""MMPose's defaults by the metainfo's `dataset_name`: nose and eye for horse10, the outer eye corners for others."""


def read_nme(evaluator: Any, dataset: Any) -> NmeScoring:
    """Return the scoring of a config.

    Args:
        evaluator: The config's `test_evaluator`.
        dataset: The config's `test_dataloader.dataset`.

    Raises:
        SpecError: It has a setting that MMPose or the harness cannot evaluate.
    """
    if dataset.get("bbox_file"):
        raise SpecError(
            f"config field test_dataloader.dataset.bbox_file: {brief(dataset.bbox_file)}: NME compares a pose with the "
            "annotated person of its box, and a detector's box has no annotated person",
            "evaluate annotated boxes: `boxes: ground-truth` in the row",
        )
    mode = one_of(evaluator, "norm_mode", "none", ("use_norm_item", "keypoint_distance"))
    item = one_of(evaluator, "norm_item", None, (None, "bbox_size"))
    if mode == "keypoint_distance":
        return NmeScoring(norm="keypoint_distance", keypoint_indices=_indices(evaluator, read_metainfo(dataset)))
    if item is None:
        raise SpecError(
            f"{FIELD}norm_item: it is missing, and norm_mode is 'use_norm_item'",
            "write norm_item='bbox_size', or norm_mode='keypoint_distance'",
        )
    return NmeScoring(norm="bbox_size")


def _indices(evaluator: Any, meta: Metainfo) -> tuple[int, int]:
    """Return the two keypoints whose distance is the norm: the stated ones, or MMPose's defaults for the data set."""
    stated, count = evaluator.get("keypoint_indices"), len(meta.names)
    if stated is None:
        default = DEFAULT_INDICES.get(meta.dataset_name)
        if default is None:
            raise SpecError(
                f"{FIELD}keypoint_indices: it is missing, and MMPose has no default for {meta.source}, whose "
                f"dataset_name is {meta.dataset_name!r}; its NME raises a KeyError after the whole run. Defaults "
                f"exist for {', '.join(DEFAULT_INDICES)}",
                "write the two keypoints whose distance is the norm, such as the outer eye corners, "
                f"{list(EYE_CORNERS_OF_68)} of 300W's 68 landmarks: in the config, or in the row as overrides: "
                f"[{{field: test_evaluator.keypoint_indices, value: {list(EYE_CORNERS_OF_68)}, reason: ...}}]",
            )
        stated = default
    pair = list(stated) if isinstance(stated, Sequence) and not isinstance(stated, str) else []
    numbers = [index for index in pair if isinstance(index, int) and not isinstance(index, bool)]
    if len(pair) != 2 or len(numbers) != 2 or not all(0 <= index < count for index in numbers) or pair[0] == pair[1]:
        raise SpecError(
            f"{FIELD}keypoint_indices: found {brief(stated)}; it must be two different keypoints of {meta.source}, "
            f"from 0 to {count - 1}",
            f"such as the outer eye corners, {list(EYE_CORNERS_OF_68)} for the 68 landmarks of 300W",
        )
    return pair[0], pair[1]
