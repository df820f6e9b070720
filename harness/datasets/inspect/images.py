"""The image files: there, whole, and of the size that the annotations say."""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from harness.arrays import Bool, Float64
from harness.datasets.columns import BACKSLASHES
from harness.datasets.inspect.problems import Problem, Problems, chosen
from harness.files import is_file

END_MARKERS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
"""What a whole file ends with; it cannot occur in the coded pixels of a JPEG."""
TAIL = 4096
"""Bytes in which the end marker is looked for; some writers append something to it."""
EXIF_ORIENTATION = 0x0112
TRANSPOSED = 5
"""From this EXIF orientation on, width and height change places."""


@dataclass(frozen=True)
class ImageList:
    """I images as an annotation file lists them."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    """Relative to the images folder."""
    sizes: Float64
    """[I, 2] width and height, px; NaN where the file does not say."""
    has_people: Bool
    """[I] somebody annotated there can be evaluated."""


@dataclass(frozen=True)
class _File:
    fault: Literal["missing", "empty", "truncated", "unreadable"] | None
    size: tuple[int, int] | None = None


def inspect_images(
    data: Path, folder: str, annotations: str, images: ImageList, needed: Bool, *, decode: bool
) -> tuple[int, list[Problem]]:
    """Count the images that are there, and say what is wrong with them.

    Args:
        data: The data folder.
        folder: Where the images are, relative to the data folder.
        annotations: The file that lists them, relative to the data folder, for messages.
        images: What the file lists.
        needed: [I] which of them a run reads.
        decode: Decode every image; otherwise only its header and its end are read.
    """
    with ThreadPoolExecutor() as pool:
        paths = [data / folder / name for name in images.names]
        files = list(pool.map(partial(_inspect, decode=decode), paths))
    problems = Problems(folder)
    faults = np.array([file.fault or "" for file in files], "U10")
    missing = faults == "missing"
    again = "export or extract the images again"
    elsewhere = _elsewhere(data, folder, annotations, images.names[int(missing.argmax())]) if missing.any() else None
    problems.add(
        "error",
        f"missing, {missing.sum()} of {len(files)}",
        elsewhere or "put them there; `harness run` refuses to begin without them",
        what="image",
        ids=chosen(images.names, missing & needed),
    )
    problems.add(
        "warning",
        "missing; nobody is evaluated in them",
        elsewhere or "nothing needs them",
        what="image",
        ids=chosen(images.names, missing & ~needed),
    )
    for fault, text in (
        ("empty", "an empty file"),
        ("truncated", "truncated: the file ends before the image does"),
        ("unreadable", "not an image that can be read"),
    ):
        problems.add("error", text, again, what="image", ids=chosen(images.names, faults == fault))
    found = np.array([file.size or (np.nan, np.nan) for file in files], np.float64).reshape(-1, 2)
    sizes = Problems(annotations)
    differs = (found != images.sizes).any(axis=1) & np.isfinite(found + images.sizes).all(axis=1)
    swapped = differs & (found[:, ::-1] == images.sizes).all(axis=1)
    for index in np.flatnonzero(swapped):
        differs[index] = swapped[index] = not _is_turned(paths[index])
    sizes.add(
        "error",
        "width and height are swapped",
        "take MMPose's file, in which they are right",
        field="width, height",
        what="image",
        ids=chosen(images.ids, swapped),
    )
    differs &= ~swapped
    if differs.any():
        first = int(differs.argmax())
        sizes.add(
            "error",
            f"not the size of the image file, in the first {_times(images.sizes[first])} for {_times(found[first])}",
            "take the images that the annotations were made on, not resized ones",
            field="width, height",
            what="image",
            ids=chosen(images.ids, differs),
        )
    return int((~missing).sum()), problems.found + sizes.found


def _times(size: Float64) -> str:
    return f"{size[0]:g}x{size[1]:g}"


def _inspect(path: Path, *, decode: bool) -> _File:
    """Read the header and the end of a file, or all of it; of one without its end marker, all."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, 2)
            if not length:
                return _File("empty")
            file.seek(max(0, length - TAIL))
            tail = file.read()
            file.seek(0)
            try:
                with Image.open(file) as image:
                    marker = END_MARKERS.get(image.format or "")
                    size = image.size
                    ends = marker is None or marker in tail
                    if decode or not ends:
                        image.load()
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                return _File("truncated" if "truncated" in str(error).lower() else "unreadable")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _File("missing")
    except (OSError, ValueError):
        return _File("unreadable")
    return _File(None, size)


def _is_turned(path: Path) -> bool:
    """Tell whether the EXIF orientation exchanges width and height, as OpenCV, and so MMPose, reads the file."""
    with warnings.catch_warnings(action="ignore"), Image.open(path) as image:  # Pillow warns of damaged EXIF data
        return bool(image.getexif().get(EXIF_ORIENTATION, 1) >= TRANSPOSED)


def _elsewhere(data: Path, folder: str, annotations: str, name: str) -> str | None:
    """Look for a missing image under other prefixes, and tell where it is."""
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
                    f"file_name has another prefix than the folders: {name}, looked for in {folder or '.'}, is at "
                    f"{found.relative_to(data).as_posix()}; move the images, or change file_name"
                )
    return None
