"""Reads the data sets that a config evaluates as one: MMPose's CombinedDataset.

Source: mmpose/datasets/dataset_wrappers.py and `KeypointConverter` in mmpose/datasets/transforms/converting.py.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.errors import SpecError, brief
from harness.protocol import DataFile, DatasetPool, PooledDataset
from harness.suites.configs import POOL
from harness.suites.data_paths import without_data_root
from harness.suites.metainfo import read_metainfo

FIELD = "test_dataloader.dataset"
CONVERTER = "KeypointConverter"
MAPPER = "KeyMapper"
ABSENT = "no_such_key"
"""A key that no sample has: a mapper of MMCV that allows such keys gives its transforms a sample without the field."""
NOT_CONVERTED = ("CocoWholeBodyDataset", "UBody2dDataset")
"""Classes whose samples have `keypoints_3d=None`, which makes MMPose 1.3.2's KeypointConverter raise an error,
unless a mapper removes the field."""


def is_pool(dataset: Any) -> bool:
    """Return whether a config's data set consists of several ones."""
    return bool(dataset.get("type") == POOL)


def parts_of(dataset: Any) -> list[tuple[str, Any]]:
    """Return the data sets of a config, each with its field: the parts of several ones, or the only one.

    Raises:
        SpecError: `datasets` is not a list of dicts, or is empty.
    """
    if not is_pool(dataset):
        return [(FIELD, dataset)]
    parts = dataset.get("datasets")
    if not isinstance(parts, list | tuple) or not parts or not all(isinstance(part, dict) for part in parts):
        raise SpecError(f"config field {FIELD}.datasets: found {brief(parts)}; it must be a list of data sets")
    return [(f"{FIELD}.datasets.{number}", part) for number, part in enumerate(parts)]


def annotations_of(dataset: Any) -> str:
    """Return the annotation file's path in the data folder of a single data set."""
    return without_data_root(str(PurePosixPath(dataset.get("data_root") or "") / dataset.ann_file))


def images_of(dataset: Any) -> str:
    """Return the folder of images in the data folder of a single data set."""
    prefix = dataset.get("data_prefix") or {}
    return without_data_root(str(PurePosixPath(dataset.get("data_root") or "") / prefix.get("img", "")))


def pool_of(dataset: Any, data_file: Callable[[str, str], DataFile]) -> DatasetPool:
    """Return the data sets of a CombinedDataset.

    Args:
        dataset: The config's `test_dataloader.dataset`.
        data_file: Returns a file of the data folder with its sha256, from its path there and its name for messages.

    Raises:
        SpecError: A part has a setting that the harness or MMPose does not evaluate; names the field.
        ObtainError: From `data_file`: an annotation file is missing.
    """
    count = len(read_metainfo(dataset).names)
    parts = []
    for place, part in parts_of(dataset):
        if is_pool(part):
            raise SpecError(f"config field {place}.type: a {POOL} inside of another is not supported")
        if part.get("bbox_file"):
            raise SpecError(
                f"config field {place}.bbox_file: detected people have no labelled keypoints, which the metrics of "
                "several data sets need",
                "evaluate annotated boxes: remove the field",
            )
        own = len(read_metainfo(part).names)
        parts.append(
            PooledDataset(
                dataset=part["type"],
                annotations=data_file(annotations_of(part), "the annotation file"),
                images=images_of(part),
                num_keypoints=own,
                mapping=_mapping(part, place, own, count),
            )
        )
    return DatasetPool(parts=tuple(parts))


def _mapping(part: Any, place: str, own: int, count: int) -> tuple[tuple[int, int, int], ...] | None:
    """Return the mapping of a part's keypoints; None if it has no converter.

    Args:
        part: The part.
        place: Its field, for messages.
        own: The number of its keypoints.
        count: The number of evaluated keypoints.

    Raises:
        SpecError: Its pipeline has another transform, or the mapping does not match the numbers of keypoints.
    """
    steps = part.get("pipeline") or []
    without_3d = len(steps) == 1 and _removes_3d(steps[0])
    if without_3d:
        steps, place_of_steps = steps[0]["transforms"], f"{place}.pipeline.0.transforms"
    else:
        place_of_steps = f"{place}.pipeline"
    types = [step.get("type") if isinstance(step, Mapping) else step for step in steps]
    if types not in ([], [CONVERTER]):
        raise SpecError(
            f"config field {place_of_steps}: {' > '.join(map(str, types))} is not supported, only {CONVERTER} is"
        )
    if not types:
        if own != count:
            raise SpecError(
                f"config field {place}.pipeline: it is empty, but {part['type']} has {own} keypoints, and {count} are "
                "evaluated",
                f"write a {CONVERTER}",
            )
        return None
    if part["type"] in NOT_CONVERTED and not without_3d:
        raise SpecError(
            f"config field {place}.pipeline: MMPose 1.3.2 cannot convert samples of {part['type']}: they have "
            f"keypoints_3d=None, and its {CONVERTER} raises AttributeError: 'NoneType' object has no attribute 'shape'",
            f"hide the field: dict(type='{MAPPER}', mapping=dict(keypoints_3d=...), auto_remap=False, "
            f"transforms=[dict(type='{CONVERTER}', ...)])",
        )
    step = steps[0]
    if step.get("num_keypoints") != count:
        raise SpecError(
            f"config field {place_of_steps}.0.num_keypoints: found {brief(step.get('num_keypoints'))}; {count} "
            "keypoints are evaluated"
        )
    stated = step.get("mapping")
    if not isinstance(stated, Sequence) or isinstance(stated, str):
        raise SpecError(f"config field {place_of_steps}.0.mapping: found {brief(stated)}; it must be a list of pairs")
    return tuple(_entry(entry, f"{place_of_steps}.0.mapping", own, count) for entry in stated)


def _removes_3d(step: Any) -> bool:
    """Return whether a transform is MMCV's KeyMapper that only hides `keypoints_3d` from its transforms."""
    if not isinstance(step, Mapping) or step.get("type") != MAPPER or not isinstance(step.get("transforms"), list):
        return False
    hidden = [{"keypoints_3d": ...}, *([{"keypoints_3d": ABSENT}] if step.get("allow_nonexist_keys") is True else [])]
    others = step.keys() - {"type", "transforms", "mapping", "allow_nonexist_keys", "auto_remap"}
    # With `auto_remap`, which is the default, the mapper returns the mapped fields alone, here none.
    return not others and step.get("mapping") in hidden and step.get("auto_remap") is False


def _entry(entry: Any, place: str, own: int, count: int) -> tuple[int, int, int]:
    """Return an entry of a mapping as the number of an evaluated keypoint, and of the two own ones."""
    pair = list(entry) if isinstance(entry, list | tuple) else []
    if len(pair) == 2:
        sources = list(pair[0]) if isinstance(pair[0], list | tuple) else [pair[0], pair[0]]
        numbers = [*sources, pair[1]]
        if (
            len(numbers) == 3
            and all(type(number) is int for number in numbers)
            and all(0 <= number < own for number in sources)
            and 0 <= pair[1] < count
        ):
            return pair[1], sources[0], sources[1]
    raise SpecError(
        f"config field {place}: found {brief(entry)}; an entry is (source, target) or ((source, source), target), with "
        f"sources from 0 to {own - 1} and targets from 0 to {count - 1}"
    )
