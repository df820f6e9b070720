"""MPII's annotation file, mpii_val.json, as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.columns import FormError, Integers, Numbers, Record, integers, number_lists, numbers, records
from harness.datasets.read_once import read_once
from harness.files import read_json

NUM_JOINTS = 16


@dataclass(frozen=True)
class MpiiFile:
    """M people; pixels count from 1. Missing or garbled fields are marked, not refused."""

    names: tuple[str | None, ...]
    """[M] `image`, the file's name; None where it is not a text."""
    image_ids: Integers
    """[M] the number in the image's name, which MMPose uses as its id (mpii_dataset.py)."""
    centers: Numbers
    """[M, 2] px"""
    scales: Numbers
    """[M]"""
    joints: Numbers
    """[M, 2 x 16] x, y, px"""
    visible: Numbers
    """[M, 16] `joints_vis`"""

    def __len__(self) -> int:
        return len(self.names)


@read_once
def read_mpii(path: Path) -> MpiiFile:
    """Read mpii_val.json, a list of {image, center, scale, joints, joints_vis}.

    Raises:
        ObtainError: The file is missing or is not JSON.
        FormError: It is not a list of objects.
    """
    people = read_json(path, "the annotation file", "name another data folder with --data")
    if not records(people):
        raise FormError(path, "it is not a list of objects")
    names = tuple(name if isinstance(name, str) else None for name in (person.get("image") for person in people))
    return MpiiFile(
        names=names,
        image_ids=integers([{"number": _number(name)} for name in names], "number"),
        centers=number_lists(people, "center", 2),
        scales=numbers(people, "scale"),
        joints=number_lists([_flat(person) for person in people], "joints", 2 * NUM_JOINTS),
        visible=number_lists(people, "joints_vis", NUM_JOINTS),
    )


def _number(name: str | None) -> int | None:
    digits = name.split(".")[0] if name else ""
    return int(digits) if digits.isdecimal() and len(digits) < 100 else None


def _flat(person: Record) -> dict[str, Any]:
    """Return the joints as a list of numbers if they are a list of pairs, otherwise as an invalid value."""
    joints = person.get("joints")
    if isinstance(joints, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in joints):
        return {"joints": [number for pair in joints for number in pair]}
    return {"joints": None} if "joints" in person else {}
