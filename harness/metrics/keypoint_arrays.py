"""Reads keypoints of people as one array, from the file formats that frameworks use."""

import contextlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from harness.arrays import Float64, usable, what_is_unusable
from harness.errors import MALFORMED, HarnessError, ObtainError, UsageError, counted
from harness.files import read_json
from harness.mat_file import read_mat

NOWHERE = -1e6
"""px; coordinates for a person whose row is all NaN, so that the person is never found."""
NUMBERS = "fiu"
"""The kinds of NumPy's types that are read: floating-point numbers and integers."""
EXTENSIONS = (".npy", ".mat", ".h5", ".json")


def read_keypoints(path: Path, shape: tuple[int, int, int], name: str | None = None) -> Float64:
    """Return the only array of a shape, or the array of a name.

    Args:
        path: An .npy, .mat (5 and 7.3), .h5 or .json file; in .json nested lists, or an object with them by name.
        shape: People, keypoints, 2.
        name: The name of the array.

    Returns:
        [people, keypoints, 2], finite; a person whose row is all NaN has no pose, and is at NOWHERE.

    Raises:
        UsageError: The kind of file is not supported, no array has this name, or several fit.
        ObtainError: The file cannot be read, has no such array, or has numbers that are not finite.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise UsageError(f"{path}: the keypoints must be in one of {', '.join(EXTENSIONS)}, not '{path.suffix}'")
    try:
        with contextlib.ExitStack() as stack:
            keypoints = _choose(path, _open(path, stack), shape, name)
    except HarnessError:
        raise
    except Exception as error:  # readers of damaged or unknown data raise any exception
        raise ObtainError(f"the keypoints cannot be read: {path}: {error}") from error
    keypoints[np.isnan(keypoints).all(axis=(1, 2))] = NOWHERE
    broken = ~usable(keypoints).all(axis=(1, 2))
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        raise ObtainError(
            f"{path}: keypoints of {counted(int(broken.sum()), 'person', 'people')} are {what_is_unusable(keypoints)}, "
            f"the first is number {first}",
            "write 0, 0 for a keypoint that was not predicted, or NaN for all keypoints of a person without a pose",
        )
    return keypoints


def _open(path: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    """Return the arrays of a file by name; those of .npy and HDF5 are not loaded yet, as stated sizes may be huge."""
    kind = path.suffix.lower()
    if kind == ".json":
        document = read_json(path, "the keypoint file")
        return {
            key: _array(value) for key, value in (document if isinstance(document, dict) else {"": document}).items()
        }
    if kind == ".npy":
        return {"": np.lib.format.open_memmap(path, "r")}  # type: ignore[no-untyped-call]
    if kind == ".mat" and not h5py.is_hdf5(path):
        return read_mat(path, "the keypoint file")
    datasets: dict[str, Any] = {}

    def collect(key: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            datasets[key] = item

    stack.enter_context(h5py.File(path, "r")).visititems(collect)
    return datasets


def _choose(path: Path, arrays: dict[str, Any], shape: tuple[int, int, int], name: str | None) -> Float64:
    # MATLAB 7.3 is HDF5 with the dimensions in reverse.
    reverse = path.suffix.lower() == ".mat" and any(isinstance(array, h5py.Dataset) for array in arrays.values())
    shapes = {key: array.shape[::-1] if reverse else array.shape for key, array in arrays.items()}
    types = {key: _not_numbers(array) for key, array in arrays.items()}
    found = ", ".join(f"{key} {size}{types[key]}".strip() for key, size in shapes.items()) or "no array"
    if name is not None and name not in arrays:
        raise UsageError(f"{path} has no array '{name}'", f"found: {found}")
    fitting = [
        key
        for key, array in arrays.items()
        if name in (None, key) and shapes[key] == shape and array.dtype.kind in NUMBERS
    ]
    if not fitting:
        scored = any(size == (*shape[:2], 3) for size in shapes.values())
        raise ObtainError(
            f"{path}: expected numbers of shape {shape} (annotated people, keypoints, x and y), found {found}",
            "leave out the scores: keypoints[..., :2]"
            if scored
            else "write a row for each annotated person, in their order, with NaN for people without a pose",
        )
    if len(fitting) > 1:
        raise UsageError(
            f"{path}: several arrays have the shape {shape}", f"choose one by --array: {', '.join(fitting)}"
        )
    values: Float64 = np.array(arrays[fitting[0]][()], np.float64)
    return values.T if reverse else values


def _not_numbers(array: Any) -> str:
    """Return the type of an array's values for a message; nothing for numbers and for a value that is no array."""
    if array.dtype.kind in NUMBERS or not array.shape:
        return ""
    return " of text" if array.dtype.kind in "US" else f" of {array.dtype}"


def _array(value: Any) -> npt.NDArray[Any]:
    """Return a JSON value as an array of numbers; of texts or booleans if it has some; of objects if it is no array."""
    try:
        types = set(map(type, np.array(value, object).flat))
        return np.array(value).astype(str if str in types else bool if bool in types else np.float64)
    except MALFORMED:
        return np.empty((), object)
