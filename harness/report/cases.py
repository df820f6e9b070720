"""Pictures of single people: a small part of the image with the predicted and the annotated skeleton.

The images are separate files, which a browser loads when they come into view; the skeletons are part of the page.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, zip_longest
from pathlib import Path

from PIL import Image, ImageOps

from harness.errors import HarnessError
from harness.metrics.diagnosis.model import Case, Diagnosis, Kind, Point
from harness.openmmlab import openmmlab_needed
from harness.protocol import DatasetPool

MARGIN = 0.2
"""Margin around box and keypoints, as a share of the longer side."""
REACH = 1.6
"""Keypoints further from the box's centre than this many times its longer side do not enlarge the picture."""

FIGURE = 600
"""Bytes of a picture in the page without its skeletons."""

NO_ROOM = "the site has too many rows to include it"

Limb = tuple[int, int]


@dataclass(frozen=True)
class Room:
    """Limits on the pictures of one run."""

    side: int
    """Longer side of a picture, px."""
    bytes: int
    """Maximum number of bytes that all pictures of a page may add."""


@dataclass(frozen=True)
class Picture:
    """One person, in px of the picture."""

    case: Case
    rank: str
    """Rank of the case, such as `worst 1`."""
    width: int
    height: int
    image: bytes | None
    """The image as WebP; None if it is not available."""
    problem: str | None
    """Why it is not available."""
    predicted: str
    """The limbs as an SVG path."""
    labelled: str
    joints: tuple[tuple[Kind, str], ...]
    """Annotated keypoints as predicted, by kind of error, as an SVG path of dots."""
    description: str

    @property
    def file(self) -> str:
        """Name of the image's file, without the run."""
        return f"{self.rank.replace(' ', '-')}.webp"

    @property
    def drawn(self) -> int:
        """Number of bytes in the page."""
        return FIGURE + len(self.predicted) + len(self.labelled) + sum(len(dots) for _, dots in self.joints)


@dataclass(frozen=True)
class Gallery:
    """Cases of one run."""

    pictures: tuple[Picture, ...]
    left_out: int
    """Number of cases without a picture because of the limits."""


def limbs(dataset: str | DatasetPool, names: Sequence[str]) -> tuple[Limb, ...]:
    """Return the pairs of keypoints that MMPose joins with a line, as pairs of indices into `names`.

    Of several data sets, they are those of the first. Empty for a data set without metainfo in MMPose, or if MMPose is
    not installed.
    """
    return tuple(
        (names.index(a), names.index(b))
        for a, b in _links(dataset.parts[0].dataset if isinstance(dataset, DatasetPool) else dataset)
        if a in names and b in names
    )


@cache
def _links(dataset: str) -> tuple[tuple[str, str], ...]:
    try:
        with openmmlab_needed():
            from harness.suites.metainfo import own_metainfo
        skeleton = own_metainfo({"type": dataset}).get("skeleton_info", {})
    except (HarnessError, OSError):
        return ()
    return tuple(tuple(skeleton[number]["link"]) for number in sorted(skeleton))


def gallery(diagnosis: Diagnosis, joined: Sequence[Limb], images: Path | None, room: Room) -> Gallery:
    """Draw the worst and the median cases, alternately, up to the limits.

    Args:
        diagnosis: The diagnosis of one run.
        joined: The limbs.
        images: The folder that file names are relative to; None if it is not available.
        room: The limits for all pictures together.
    """
    pictures: list[Picture] = []
    spent = 0
    ordered = list(_in_turn(diagnosis))
    for rank, case in ordered:
        picture = draw(case, rank, joined, images, room.side)
        spent += len(picture.image or b"") + (picture.drawn if pictures else 0)
        if spent > room.bytes:
            if not pictures:
                pictures.append(replace(picture, image=None, problem=picture.problem or NO_ROOM))
            break
        pictures.append(picture)
    shown = sorted(pictures, key=lambda picture: (picture.rank.startswith("median"), int(picture.rank.split()[-1])))
    return Gallery(tuple(shown), len(ordered) - len(shown))


def _in_turn(diagnosis: Diagnosis) -> Iterator[tuple[str, Case]]:
    worst = [(f"worst {number}", case) for number, case in enumerate(diagnosis.worst, 1)]
    median = [(f"median {number}", case) for number, case in enumerate(diagnosis.median, 1)]
    return (named for named in chain.from_iterable(zip_longest(worst, median)) if named is not None)


def draw(case: Case, rank: str, joined: Sequence[Limb], images: Path | None, side: int) -> Picture:
    """Draw one case; without an image only the skeletons."""
    left, top, right, bottom = _region(case)
    scale = side / max(right - left, bottom - top)
    width, height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    image, problem = _cut(images, case.image, (left, top, right, bottom), (width, height))

    def placed(point: Point | None) -> Point | None:
        return point and (round((point[0] - left) * scale), round((point[1] - top) * scale))

    predicted = [placed(point) for point in case.predicted]
    labelled = [placed(point) for point in case.labelled]
    counts = {kind: case.kinds.count(kind) for kind in dict.fromkeys(case.kinds) if kind is not None}
    return Picture(
        case=case,
        rank=rank,
        width=width,
        height=height,
        image=image,
        problem=problem,
        predicted=_path(predicted, joined),
        labelled=_path(labelled, joined),
        joints=tuple((kind, _dots(predicted, case.kinds, kind)) for kind in counts),
        description=", ".join(f"{count} {kind}" for kind, count in counts.items()),
    )


def _region(case: Case) -> tuple[float, float, float, float]:
    """Return the region to show (x1, y1, x2, y2): box and keypoints with a margin, without keypoints far away."""
    x1, y1, x2, y2 = case.box
    reach = REACH * max(x2 - x1, y2 - y1, 1.0)
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    near = [
        point
        for point in (*case.predicted, *case.labelled)
        if point and abs(point[0] - middle_x) <= reach and abs(point[1] - middle_y) <= reach
    ]
    xs, ys = [x1, x2, *(x for x, _ in near)], [y1, y2, *(y for _, y in near)]
    margin = MARGIN * max(max(xs) - min(xs), max(ys) - min(ys), 1.0)
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _cut(
    images: Path | None, name: str | None, region: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[bytes | None, str | None]:
    """Return a part of an image as WebP, or the reason why there is none; the outside of the image is grey."""
    if images is None:
        return None, "the images are not available: name the data folder with --data DIR"
    if name is None:
        return None, "the annotations do not name the image"
    path = (images / name).resolve()
    if not path.is_relative_to(images.resolve()):
        return None, f"{name} is outside of {images}"
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        return None, f"{name} cannot be read: {error}"
    resized = upright.transform(size, Image.Transform.EXTENT, region, Image.Resampling.BICUBIC, fillcolor=(128,) * 3)
    buffer = io.BytesIO()
    resized.save(buffer, "WEBP", quality=55, method=4)
    return buffer.getvalue(), None


def _path(points: Sequence[Point | None], joined: Sequence[Limb]) -> str:
    """Return lines between joined points as an SVG path."""
    pairs = [(points[a], points[b]) for a, b in joined]
    return "".join(f"M{a[0]:g} {a[1]:g}L{b[0]:g} {b[1]:g}" for a, b in pairs if a and b)


def _dots(points: Sequence[Point | None], kinds: Sequence[Kind | None], kind: Kind) -> str:
    """Return the points of one kind as lines without length, which have round ends."""
    return "".join(f"M{at[0]:g} {at[1]:g}h0" for at, its in zip(points, kinds, strict=True) if at and its == kind)
