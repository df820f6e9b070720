"""An image that stores for each pixel the person and the body part that it shows.

All shapes are filled in fixed-point coordinates without antialiasing, so that every machine draws the same pixels.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from harness.arrays import Floating, Image

Color = tuple[int, int, int]
"""Blue, green, red."""

Disc = tuple[float, float, float]
"""Centre x, y and radius, px."""

FRACTION_BITS = 4
_CORNERS = [(math.cos(i * math.pi / 8), math.sin(i * math.pi / 8)) for i in range(16)]

NOBODY = -1


class Canvas:
    """An image and the owner of each of its pixels."""

    def __init__(self, image: Image) -> None:
        self.image = image
        """[H, W, 3] blue, green, red"""
        self.owner = np.full(image.shape[:2], NOBODY, np.int16)
        """[H, W] the label of what each pixel shows; NOBODY for the background and objects."""

    @property
    def width(self) -> int:
        """Return the image's width, px."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """Return the image's height, px."""
        return self.image.shape[0]

    def polygon(self, points: Floating, color: Color, label: int = NOBODY) -> None:
        """Fill the convex hull of points [N, 2], px."""
        fixed = np.rint(np.asarray(points, np.float64) * (1 << FRACTION_BITS)).astype(np.int32)
        hull = cv2.convexHull(fixed)
        cv2.fillConvexPoly(self.image, hull, color, cv2.LINE_8, FRACTION_BITS)
        cv2.fillConvexPoly(self.owner, hull, label, cv2.LINE_8, FRACTION_BITS)

    def blob(self, discs: Sequence[Disc], color: Color, label: int = NOBODY) -> None:
        """Fill the convex hull of discs: one disc gives a disc, two a limb, four a trunk."""
        self.polygon(np.array([(x + r * c, y + r * s) for x, y, r in discs for c, s in _CORNERS]), color, label)

    def shaded(self, discs: Sequence[Disc], color: Color, label: int = NOBODY) -> None:
        """Fill the hull of discs with a darker rim, lit from the upper left."""
        self.blob(discs, shade(color, 0.68), label)
        self.blob([(x - 0.18 * r, y - 0.18 * r, 0.72 * r) for x, y, r in discs], color, label)


def shade(color: Color, factor: float) -> Color:
    """Return a color made darker, or lighter if the factor is above 1."""
    blue, green, red = (min(255, round(channel * factor)) for channel in color)
    return blue, green, red


def soften(image: Image) -> Image:
    """Blur an image [H, W, 3] with the kernel 1 2 1 in both directions, in integers."""
    wide = np.pad(image.astype(np.uint16), ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    blurred: Image = ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] + 8) >> 4).astype(np.uint8)
    return blurred
