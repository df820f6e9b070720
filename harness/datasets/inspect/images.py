"""Inspects image files: whether they exist, are complete, and have the size that the annotations state."""

import io
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from harness.arrays import Bool, Float64
from harness.datasets.columns import BACKSLASHES
from harness.datasets.inspect.problems import Problem, Problems, Severity, chosen
from harness.errors import MALFORMED
from harness.files import is_file
from harness.image_file import ADVICE, Fault, image_fault

EXIF_ORIENTATION = 0x0112
BEYOND = 1.05
"""Labelled keypoints beyond this many times the size of their image are an error."""
TRANSPOSED = 5
"""EXIF orientations from this one on swap width and height."""


@dataclass(frozen=True)
class ImageList:
    """The I images that an annotation file lists, each once."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    """Relative to the images folder."""
    sizes: Float64
    """[I, 2] width and height, px; NaN where the file does not state them."""
    has_people: Bool
    """[I] whether the image has an annotated person that can be evaluated."""
    reach: Float64 = field(default_factory=lambda: np.zeros(2))
    """[I, 2] the largest x and y of the labelled keypoints, px; 0 without labelled keypoints."""


def inspect_images(
    data: Path, folder: str, annotations: str, images: ImageList, needed: Bool, *, decode: bool
) -> tuple[int, list[Problem]]:
    """Return the number of existing images, and the problems of all.

    Args:
        data: The data folder.
        folder: The folder of images, relative to the data folder.
        annotations: The file that lists them, relative to the data folder, for messages.
        images: The listed images.
        needed: [I] which images a run reads.
        decode: Decode every image; otherwise only its header and the structure of its file are inspected.
    """
    with ThreadPoolExecutor() as pool:
        paths = [data / folder / name for name in images.names]
        found = list(pool.map(partial(_inspect, decode=decode), paths))
    problems = Problems(folder)
    faults = np.array([fault or "" for fault in found], str)
    missing = faults == "missing"
    again = "export or extract the images again"
    elsewhere = _elsewhere(data, folder, annotations, images.names[int(missing.argmax())]) if missing.any() else None
    problems.add(
        "error",
        f"missing, {missing.sum()} of {len(found)}",
        elsewhere or "put them there; `harness run` does not start without them",
        what="image",
        ids=chosen(images.names, missing & needed),
    )
    problems.add(
        "note",
        "missing; no person is evaluated in them",
        elsewhere or "they are not needed",
        what="image",
        ids=chosen(images.names, missing & ~needed),
    )
    for fault, text, advice in (
        ("empty", "an empty file", again),
        ("truncated", "truncated: the file ends before the end of the image", again),
        ("an animation", "an animation, which cannot be read", ADVICE["an animation"]),
        ("in HEIF format", "in HEIF format, which cannot be read", ADVICE["in HEIF format"]),
        ("unreadable", "not an image that can be read", again),
    ):
        problems.add("error", text, advice, what="image", ids=chosen(images.names, faults == fault))
    sizes = inspect_sizes(data, folder, annotations, images, faults == "")
    return int((~missing).sum()), [*problems.found, *sizes]


def inspect_sizes(data: Path, folder: str, annotations: str, images: ImageList, needed: Bool) -> list[Problem]:
    """Return problems of image sizes: compares the annotation file with the headers of the images in `needed`, [I].

    MMPose rotates an image by its EXIF orientation when it decodes it. The result is meaningless if most images have
    another size, or if a labelled keypoint is outside of its image. Unreadable images are skipped here, since decoding
    reports them. The other arguments are those of `inspect_images`.
    """
    wanted = np.flatnonzero(needed & np.isfinite(images.sizes).all(axis=1))
    # Filters of warnings apply to all threads. Pillow warns of damaged EXIF data.
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor() as pool:
        headers = list(pool.map(_header, [data / folder / images.names[index] for index in wanted.tolist()]))
    decoded = np.full((len(images.names), 2), np.nan)
    turned = np.zeros(len(images.names), bool)
    for index, (size, transposed) in zip(wanted.tolist(), headers, strict=True):
        decoded[index], turned[index] = size[::-1] if transposed else size, transposed
    stated, compared = images.sizes, np.isfinite(decoded).all(axis=1)
    differs = compared & (decoded != stated).any(axis=1)
    beyond = differs & (images.reach > decoded * BEYOND).any(axis=1)
    severity: Severity = "fatal" if beyond.any() or differs.sum() > compared.sum() / 2 else "error"
    problems = Problems(annotations)
    add = partial(problems.add, severity, field="width, height", what="image")
    swapped = differs & (decoded[:, ::-1] == stated).all(axis=1)
    add(
        "those of the photo before the rotation by its EXIF orientation, which MMPose applies",
        "rotate the pixels and remove the orientation (Pillow: ImageOps.exif_transpose), and annotate the result",
        ids=chosen(images.ids, swapped & turned),
    )
    add(
        "width and height are swapped",
        "write the size of the image file; of a published data set, take MMPose's file",
        ids=chosen(images.ids, swapped & ~turned),
    )
    other = differs & ~swapped
    if other.any():
        first = int(other.argmax())
        add(
            f"not the size of the image file, in the first {_times(stated[first])} for {_times(decoded[first])}",
            "take the images that were annotated, not resized ones, and state their size",
            ids=chosen(images.ids, other),
        )
    return problems.found


def _times(size: Float64) -> str:
    return f"{size[0]:g}x{size[1]:g}"


def _inspect(path: Path, *, decode: bool) -> Literal["missing", "empty", "unreadable"] | Fault | None:
    """Return the fault in a file's structure or header, or, with `decode`, in its pixels; None without a fault."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return "missing"
    except (OSError, ValueError):
        return "unreadable"
    if not data or (fault := image_fault(data)):
        return fault if data else "empty"
    try:
        with Image.open(io.BytesIO(data)) as image:
            if decode:
                image.load()
            return None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return "truncated" if "truncated" in str(error).lower() else "unreadable"


def _header(path: Path) -> tuple[tuple[float, float], bool]:
    """Return width and height of an image file, px, and whether OpenCV swaps them by the EXIF orientation.

    The size is NaN if the file cannot be read.
    """
    try:
        with Image.open(path) as image:
            read = image.format != "PNG" or "exif" in image.info  # otherwise Pillow decodes the whole PNG
            return image.size, read and image.getexif().get(EXIF_ORIENTATION, 1) >= TRANSPOSED
    except (*MALFORMED, OSError, SyntaxError, Image.DecompressionBombError):
        return (np.nan, np.nan), False


def _elsewhere(data: Path, folder: str, annotations: str, name: str) -> str | None:
    """Search for a missing image under other prefixes; returns the advice with its path, or None if it is not found."""
    if "\\" in PurePath(name).as_posix():
        return BACKSLASHES
    parts: Sequence[str] = PurePosixPath(name).parts
    root = data / PurePosixPath(annotations).parts[0]
    bases = [data / folder, data, root, *(path for path in sorted(root.glob("*")) if path.is_dir())]
    for base in dict.fromkeys(bases):
        for start in range(len(parts)):
            found = base.joinpath(*parts[start:])
            if is_file(found):
                return (
                    f"file_name has another prefix than the folders: {name}, expected in {folder or '.'}, is at "
                    f"{found.relative_to(data).as_posix()}; move the images, or change file_name"
                )
    return None
