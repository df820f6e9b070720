"""Scenes: people of several sizes, alone or in crowds, behind and in front of objects, on cluttered backgrounds.

Much of the clutter consists of limbs and whole dummies with the red and blue of people exchanged. Code that reads the
channels in the wrong order mistakes them for people.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Bool, Float64, Image
from harness.demo.canvas import Canvas, Color, soften
from harness.demo.person import PARTS, draw_person, sample_appearance
from harness.demo.skeleton import Body, Rng, sample_body

SIZES = ((320, 240), (400, 300), (384, 288), (300, 400), (288, 384))
"""Width and height of images, px."""


@dataclass(frozen=True)
class Style:
    """The style of a data set's scenes."""

    people: tuple[int, ...]
    """Numbers of people per image, with equal probability."""
    heights: tuple[float, float]
    """Range of heights of standing people, px, uniform on a logarithmic scale."""
    crowded: float
    """Share of images whose people stand in one group."""
    spread: tuple[float, float] = (0.18, 0.45)
    """Range of the distance between people in a group, relative to their height; drawn once per group."""
    far_crowd: float = 0.0
    """Share of images with a distant crowd, whose people are not annotated separately."""
    sizes: tuple[tuple[int, int], ...] = SIZES
    """Width and height of images, px, with equal probability."""


@dataclass(frozen=True)
class Person:
    """A person in a scene."""

    points: dict[str, tuple[float, float]]
    """Joints and landmarks, px."""
    body: Body
    silhouette: Bool
    """[H, W] the pixels that show the person."""
    parts: npt.NDArray[np.int16]
    """[H, W] index into PARTS for each of these pixels."""
    extent: tuple[float, float, float, float]
    """x1, y1, x2, y2 of the whole body, including hidden parts and parts outside the image."""


@dataclass(frozen=True)
class Scene:
    """A rendered image and its people."""

    image: Image
    """[H, W, 3] blue, green, red"""
    people: list[Person]
    """In drawing order, the farthest first."""
    dummies: list[tuple[float, float, float, float]]
    """x1, y1, x2, y2 of figures that are not people."""
    far_crowd: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 of a distant crowd."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image, px."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True)
class _Place:
    """A body placed in the image."""

    body: Body
    origin: tuple[float, float]
    height: float

    @property
    def points(self) -> dict[str, tuple[float, float]]:
        x, y = self.origin
        return {
            name: (x + self.height * float(joint[0]), y + self.height * float(joint[1]))
            for name, joint in self.body.joints.items()
        }

    @property
    def extent(self) -> tuple[float, float, float, float]:
        points = np.array(list(self.points.values()))
        rim = 0.03 * self.height
        (left, top), (right, bottom) = points.min(axis=0) - rim, points.max(axis=0) + rim
        return float(left), float(top), float(right), float(bottom)


def render_scene(rng: Rng, style: Style) -> Scene:
    """Render a random scene."""
    width, height = style.sizes[int(rng.integers(len(style.sizes)))]
    canvas = Canvas(_background(rng, width, height))
    for _ in range(int(rng.integers(4, 10))):
        _draw_clutter(canvas, rng)
    for _ in range(int(rng.integers(2, 6))):
        _draw_false_limb(canvas, rng, (rng.random() * width, rng.random() * height), 60 + 140 * rng.random())
    far_crowd = _draw_far_crowd(canvas, rng) if rng.random() < style.far_crowd else None

    places = _arrange(rng, style, width, height)
    dummies = []
    for number, place in enumerate(places):
        if rng.random() < 0.25:
            dummies.append(_draw_dummy(canvas, rng, place))
        draw_person(canvas, place.body, sample_appearance(rng), place.origin, place.height, number)
        left, top, right, bottom = place.extent
        if rng.random() < 0.4:
            near = left + rng.random() * (right - left), top + rng.random() * (bottom - top)
            _draw_false_limb(canvas, rng, near, place.height)
        if rng.random() < 0.25:
            _draw_occluder(canvas, rng, place)
    people = []
    for number, place in enumerate(places):
        own = canvas.owner // len(PARTS) == number
        parts = np.where(own, canvas.owner % len(PARTS), -1).astype(np.int16)
        people.append(Person(place.points, place.body, own, parts, place.extent))
    light = 205 + int(rng.integers(70))
    lit = np.minimum((canvas.image.astype(np.uint32) * light) >> 8, 255).astype(np.uint8)
    return Scene(soften(lit), people, dummies, far_crowd)


def _arrange(rng: Rng, style: Style, width: int, height: int) -> list[_Place]:
    """Place people, ordered from the farthest to the nearest."""
    count = style.people[int(rng.integers(len(style.people)))]
    together = count > 1 and rng.random() < style.crowded
    low, high = style.heights
    common = low * (high / low) ** rng.random()
    spread = style.spread[0] + (style.spread[1] - style.spread[0]) * rng.random()
    first = rng.random() * 0.5 + 0.1
    places = []
    for index in range(count):
        size = common * (0.85 + 0.3 * rng.random()) if together else low * (high / low) ** rng.random()
        body = sample_body(rng)
        _, top, _, bottom = _Place(body, (0, 0), size).extent
        tall = bottom - top
        if together:
            x = first * width + size * spread * (index + 0.5 * rng.random())
            y = 0.9 * height - bottom + size * 0.12 * rng.random() if common < 0.8 * height else 0.1 * height - top
        else:
            x = width * (0.04 + 0.92 * rng.random())
            if tall < 0.9 * height:
                lowest = max(tall, 0.5 * height)
                y = lowest + (1.1 * height - lowest) * rng.random() - bottom
            elif rng.random() < 0.8:
                y = height * (0.02 + 0.2 * rng.random()) - top
            else:
                y = height * (0.85 + 0.15 * rng.random()) - bottom
        places.append(_Place(body, (x, y), size))
    return sorted(places, key=lambda place: place.height)


def _any_color(rng: Rng) -> Color:
    """Return a color that is bluish as often as reddish, and rarely bright."""
    grey, share = int(rng.integers(50, 215)), 0.15 + 0.5 * rng.random()
    blue, green, red = (round(grey + share * (channel - grey)) for channel in rng.integers(20, 236, 3).tolist())
    return blue, green, red


def _background(rng: Rng, width: int, height: int) -> Image:
    """Return a wall and a floor of coarse texture."""
    image = np.empty((height, width, 3), np.uint8)
    horizon = int(height * (0.3 + 0.4 * rng.random()))
    for rows in (slice(0, horizon), slice(horizon, height)):
        grain = int(rng.integers(3, 25))
        part = image[rows]
        coarse = rng.integers(-grain, grain + 1, (part.shape[0] // 8 + 1, width // 8 + 1, 3))
        texture = coarse.repeat(8, axis=0).repeat(8, axis=1)[: part.shape[0], :width]
        part[:] = np.clip(np.array(_any_color(rng)) + texture, 0, 255)
    return image


def _draw_clutter(canvas: Canvas, rng: Rng) -> None:
    """Draw an object of any color: a board, a pole, a ball or a polygon."""
    x, y = canvas.width * rng.random(), canvas.height * rng.random()
    size = 15 + 85 * rng.random()
    color = _any_color(rng)
    match int(rng.integers(4)):
        case 0:
            w, h = size * (0.4 + rng.random()), size * (0.4 + rng.random())
            canvas.polygon(np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]), color)
        case 1:
            lean = size * (rng.random() - 0.5)
            canvas.shaded([(x, y, size / 16), (x + lean, y + 2 * size, size / 16)], color)
        case 2:
            canvas.shaded([(x, y, size / 4)], color)
        case _:
            canvas.polygon(np.array([x, y]) + size * (rng.random((5, 2)) - 0.5), color)


def _draw_false_limb(canvas: Canvas, rng: Rng, at: tuple[float, float], height: float) -> None:
    """Draw an arm or a leg that belongs to no person, with red and blue exchanged."""
    look = sample_appearance(rng).mirrored_hues()
    elbow = _step(rng, at, 0.17 * height)
    end = _step(rng, elbow, 0.15 * height)
    thick = height * (0.025 + 0.025 * rng.random())
    upper = look.top if rng.random() < 0.5 else look.skin
    canvas.shaded([(*at, thick * 1.2), (*elbow, thick)], upper)
    canvas.shaded([(*elbow, thick), (*end, thick * 0.75)], look.skin)
    canvas.shaded([(*end, thick * 1.0)], look.skin if rng.random() < 0.6 else look.shoes)


def _step(rng: Rng, start: tuple[float, float], length: float) -> tuple[float, float]:
    """Return a point about `length` away in a random direction."""
    x, y = (2 * rng.random(2) - 1).tolist()
    norm = max((x * x + y * y) ** 0.5, 0.1)
    return start[0] + length * x / norm, start[1] + length * y / norm


def _draw_dummy(canvas: Canvas, rng: Rng, near: _Place) -> tuple[float, float, float, float]:
    """Draw a figure like a person, with red and blue exchanged, close to a person."""
    size = near.height * (0.75 + 0.4 * rng.random())
    x = near.origin[0] + near.height * (0.12 + 0.35 * rng.random()) * (-1 if rng.random() < 0.5 else 1)
    place = _Place(sample_body(rng), (x, near.origin[1] + 0.1 * near.height * (rng.random() - 0.5)), size)
    draw_person(canvas, place.body, sample_appearance(rng).mirrored_hues(), place.origin, size, None)
    return place.extent


def _draw_occluder(canvas: Canvas, rng: Rng, place: _Place) -> None:
    """Draw a board, a ball or a pole in front of a person."""
    left, top, right, bottom = place.extent
    x, y = left + (right - left) * rng.random(), top + (bottom - top) * (0.35 + 0.65 * rng.random())
    size = place.height * (0.1 + 0.2 * rng.random())
    color = _any_color(rng)
    match int(rng.integers(3)):
        case 0:
            w, h = size * (0.7 + rng.random()), size * (0.5 + rng.random())
            canvas.polygon(np.array([(x - w, y), (x + w, y), (x + w, y + h), (x - w, y + h)]), color)
        case 1:
            canvas.shaded([(x, y, size / 2)], color)
        case _:
            canvas.shaded([(x, y - size, size / 12), (x, y + 2 * size, size / 12)], color)


def _draw_far_crowd(canvas: Canvas, rng: Rng) -> tuple[float, float, float, float]:
    """Draw a row of small people, who are not annotated separately."""
    size = 34 + 16 * rng.random()
    count = int(rng.integers(6, 12))
    x, y = canvas.width * 0.6 * rng.random(), canvas.height * (0.3 + 0.2 * rng.random())
    extents = []
    for index in range(count):
        place = _Place(sample_body(rng), (x + index * size * 0.3, y + 4 * rng.random()), size)
        draw_person(canvas, place.body, sample_appearance(rng), place.origin, size, None)
        extents.append(place.extent)
    corners = np.array(extents)
    box: Float64 = np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
    return tuple(box.tolist())
