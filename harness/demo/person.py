"""Draws a posed body: skin, hair, face, clothes and shoes, part by part from the farthest to the nearest."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Float64
from harness.demo.canvas import NOBODY, Canvas, Color, Disc, shade
from harness.demo.skeleton import SIDES, Body, Rng

PARTS = [
    "head",
    "trunk",
    "left_upper_arm",
    "left_forearm",
    "right_upper_arm",
    "right_forearm",
    "left_thigh",
    "left_shin",
    "right_thigh",
    "right_shin",
]

SKIN: list[Color] = [(178, 206, 241), (150, 184, 228), (120, 160, 214), (86, 128, 190), (58, 92, 150), (40, 66, 112)]
HAIR: list[Color] = [(20, 22, 28), (30, 44, 66), (38, 66, 110), (80, 150, 200), (34, 60, 160), (150, 150, 155)]
TOPS: list[Color] = [
    (40, 40, 190),
    (50, 90, 220),
    (50, 150, 230),
    (70, 200, 235),
    (140, 130, 225),
    (90, 40, 150),
    (60, 130, 110),
    (60, 100, 60),
    (50, 70, 120),
    (235, 235, 235),
    (45, 45, 48),
    (120, 120, 122),
]
TROUSERS: list[Color] = [
    (90, 135, 165),
    (50, 75, 105),
    (45, 85, 80),
    (38, 38, 42),
    (95, 95, 98),
    (45, 40, 110),
    (120, 170, 200),
]
SHOES: list[Color] = [(30, 30, 34), (35, 55, 85), (225, 225, 228), (40, 40, 180)]


@dataclass(frozen=True)
class Appearance:
    """The appearance of a person."""

    skin: Color
    hair: Color
    top: Color
    trim: Color
    """Color of the marks on the chest, which the back does not have."""
    trousers: Color
    shoes: Color
    build: float
    """Width of the body, as a factor."""
    sleeves: float
    """Covered share of the arm."""
    legs: float
    """Covered share of the leg."""
    long_hair: bool
    backpack: bool

    def mirrored_hues(self) -> "Appearance":
        """Return the appearance with red and blue exchanged: skin colors of no person, clothes colors of few."""
        return replace(
            self,
            skin=_exchanged(self.skin),
            hair=_exchanged(self.hair),
            top=_exchanged(self.top),
            trim=_exchanged(self.trim),
            trousers=_exchanged(self.trousers),
            shoes=_exchanged(self.shoes),
        )


def _exchanged(color: Color) -> Color:
    blue, green, red = color
    return red, green, blue


def sample_appearance(rng: Rng) -> Appearance:
    """Return a random appearance: natural skin, and clothes more often red, yellow, green or grey than blue."""

    def pick(palette: list[Color]) -> Color:
        color = np.array(palette[int(rng.integers(len(palette)))]) + rng.integers(-14, 15, 3)
        blue, green, red = np.clip(color, 0, 255).tolist()
        return blue, green, red

    return Appearance(
        skin=pick(SKIN),
        hair=pick(HAIR),
        top=pick(TOPS),
        trim=pick(TOPS),
        trousers=pick(TROUSERS),
        shoes=pick(SHOES),
        build=0.85 + 0.4 * rng.random(),
        sleeves=(0.45, 1.0, 0.9, 0.2)[int(rng.integers(4))],
        legs=(1.0, 1.0, 0.85, 0.5)[int(rng.integers(4))],
        long_hair=bool(rng.random() < 0.35),
        backpack=bool(rng.random() < 0.3),
    )


def draw_person(
    canvas: Canvas, body: Body, look: Appearance, origin: tuple[float, float], height: float, number: int | None
) -> None:
    """Draw a person.

    Args:
        canvas: The canvas.
        body: The pose.
        look: The appearance.
        origin: Position of the pelvis, px.
        height: Height of the body when standing, px.
        number: The person's number in `canvas.owner`; None for a figure that is not a person.
    """
    joints = body.joints

    def disc(point: Float64, radius: float) -> Disc:
        return origin[0] + height * float(point[0]), origin[1] + height * float(point[1]), height * radius

    def label(part: str) -> int:
        return NOBODY if number is None else part_label(number, part)

    layers: list[tuple[float, Callable[[], None]]] = []

    def layer(depth: float, draw: Callable[..., None], *arguments: object) -> None:
        layers.append((depth, lambda: draw(*arguments)))

    def limb(
        part: str,
        a: Float64,
        b: Float64,
        radii: tuple[float, float],
        color: Color,
        covered: float,
        cloth: Color,
        nearer: float,
    ) -> None:
        """Draw a limb from a to b, of which a part is covered by cloth."""

        def draw() -> None:
            first, second = radii[0] * look.build, radii[1] * look.build
            if covered < 1:
                canvas.shaded([disc(a, first), disc(b, second)], color, label(part))
            if covered > 0:
                end = min(covered, 1.0)
                middle = a + end * (b - a)
                canvas.shaded(
                    [disc(a, first * 1.12), disc(middle, (first + end * (second - first)) * 1.15)], cloth, label(part)
                )

        layers.append((float(a[2] + b[2]) / 2 - nearer, draw))

    for side in SIDES:
        shoulder, elbow, wrist, hand = (joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand"))
        hip, knee, ankle = (joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        toe, heel = joints[f"{side}_toe"], joints[f"{side}_heel"]
        limb(f"{side}_upper_arm", shoulder, elbow, (0.036, 0.028), look.skin, 2 * look.sleeves, look.top, 0.02)
        limb(f"{side}_forearm", elbow, wrist, (0.028, 0.02), look.skin, 2 * look.sleeves - 1, look.top, 0.03)
        layer(float(hand[2]) - 0.03, canvas.shaded, [disc(hand, 0.026)], look.skin, label(f"{side}_forearm"))
        limb(f"{side}_thigh", hip, knee, (0.058, 0.042), look.skin, 2 * look.legs, look.trousers, -0.01)
        limb(f"{side}_shin", knee, ankle, (0.042, 0.027), look.skin, 2 * look.legs - 1, look.trousers, 0)
        layer(
            float(ankle[2] + toe[2]) / 2 - 0.01,
            canvas.shaded,
            [disc(heel, 0.028), disc(toe, 0.022)],
            look.shoes,
            label(f"{side}_shin"),
        )

    trunk, wide = label("trunk"), look.build
    left, up, forward = body.trunk
    shoulders = [joints["left_shoulder"], joints["right_shoulder"]]
    hips = [joints["left_hip"], joints["right_hip"]]
    middle = float(joints["neck"][2]) / 2
    belly = [disc(0.8 * hip + 0.07 * up, 0.068 * wide) for hip in hips]
    layer(middle + 0.001, canvas.shaded, [disc(hip, 0.06 * wide) for hip in hips] + belly, look.trousers, trunk)
    layer(middle, canvas.shaded, [disc(0.93 * s, 0.05 * wide) for s in shoulders] + belly, look.top, trunk)
    chest = [0.8 * joints["neck"] + 0.075 * forward, 0.35 * joints["neck"] + 0.075 * forward]
    layer(float(chest[0][2]), canvas.blob, [disc(chest[0], 0.024), disc(chest[1], 0.016)], look.trim, trunk)
    if look.backpack:
        pack = [0.85 * joints["neck"] - 0.1 * forward, 0.3 * joints["neck"] - 0.1 * forward]
        corners = [disc(point + side * 0.05 * left, 0.045) for point in pack for side in (-1, 1)]
        layer(float(pack[0][2] + pack[1][2]) / 2, canvas.shaded, corners, shade(look.trim, 0.8), trunk)

    _layer_head(canvas, body, look, disc, label("head"), layer)
    for _, draw in sorted(layers, key=lambda item: -item[0]):
        draw()


def _layer_head(
    canvas: Canvas,
    body: Body,
    look: Appearance,
    disc: Callable[[Float64, float], Disc],
    label: int,
    layer: Callable[..., None],
) -> None:
    joints = body.joints
    left, up, forward = body.head
    centre = joints["head"]
    depth = float(centre[2])
    neck = [disc(joints["neck"], 0.034), disc(centre - 0.05 * up, 0.034)]
    layer(float(joints["neck"][2]) + 0.005, canvas.shaded, neck, look.skin, label)
    hair = [disc(centre + 0.03 * up - 0.022 * forward, 0.076)]
    if look.long_hair:
        hair.append(disc(centre - 0.09 * up - 0.05 * forward, 0.05))
    layer(depth - 0.03 * float(forward[2]), canvas.shaded, hair, look.hair, label)
    face = [disc(centre + 0.012 * forward + 0.012 * up, 0.066), disc(centre + 0.02 * forward - 0.04 * up, 0.048)]
    layer(depth + 0.03 * float(forward[2]), canvas.shaded, face, look.skin, label)
    for side, sign in SIDES.items():
        ear = joints[f"{side}_ear"]
        layer(depth + 0.06 * sign * float(left[2]), canvas.blob, [disc(ear, 0.017)], shade(look.skin, 0.85), label)
        eye = joints[f"{side}_eye"]
        if _faces_camera(body, eye):
            layer(depth - 0.07, canvas.blob, [disc(eye, 0.014)], (240, 240, 240), label)
            layer(depth - 0.071, canvas.blob, [disc(eye, 0.009)], (25, 25, 25), label)
    if _faces_camera(body, joints["nose"]):
        layer(depth - 0.08, canvas.blob, [disc(joints["nose"], 0.012)], shade(look.skin, 0.6), label)
        corners = [centre + 0.062 * forward - 0.05 * up + sign * 0.018 * left for sign in (-1, 1)]
        layer(depth - 0.075, canvas.blob, [disc(corner, 0.006) for corner in corners], (60, 50, 150), label)


def _faces_camera(body: Body, landmark: Float64) -> bool:
    """Return whether a landmark of the head is on its near side."""
    return bool(landmark[2] < body.joints["head"][2] - 0.005)


def part_label(number: int, part: str) -> int:
    """Return the label of a person's part in `Canvas.owner`."""
    return number * len(PARTS) + PARTS.index(part)
