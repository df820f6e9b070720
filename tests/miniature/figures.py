"""Scenes of the miniature, the annotations of their people, and the boxes of a detector."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.arrays import Float64, Image
from harness.demo.scene import Person, Scene, Style, render_scene

SEED = 20260417
LEAST_SHOWN = 600
"""Smallest visible area of each person in a scene, px."""
TEXTURE = 10.0
"""Standard deviation of the noise that is added to the pixels at each scale."""
ABSENT, HIDDEN, SEEN = 0, 1, 2
"""Visibility of a keypoint, as in COCO."""

Rng = np.random.Generator
Box = tuple[float, float, float, float]
"""x, y, width, height, px."""


@dataclass(frozen=True)
class DataSet:
    """The content of the miniature for a data set."""

    images: tuple[str, ...]
    """File names, relative to the folder of images, in the order of the annotation file."""
    annotations: int
    people: int
    """Number of annotated people who are evaluated."""
    boxes: tuple[int, ...] = ()
    """Number of detector boxes in each image."""


def draw(
    seed: int,
    size: tuple[int, int],
    people: int,
    heights: tuple[float, float],
    *,
    crowded: bool = False,
    far_crowd: bool = False,
    until: Callable[[Scene], bool] = lambda scene: True,
) -> tuple[Scene, Rng]:
    """Render the first scene of a seed in which each person shows at least LEAST_SHOWN pixels and `until` is true.

    Args:
        seed: Seed of the scene.
        size: Width and height of the image, px.
        people: Number of people.
        heights: Range of heights of standing people, px.
        crowded: Whether they stand in one group.
        far_crowd: Whether there is a distant crowd.
        until: A further condition on the scene.

    Returns:
        The scene, and the random generator for further properties.
    """
    style = Style((people,), heights, float(crowded), spread=(0.1, 0.3), far_crowd=float(far_crowd), sizes=(size,))
    for attempt in range(1000):
        rng = np.random.default_rng([SEED, seed, attempt])
        scene = render_scene(rng, style)
        if all(person.silhouette.sum() >= LEAST_SHOWN for person in scene.people) and until(scene):
            return replace(scene, image=textured(scene.image, rng)), rng
    raise AssertionError(f"no scene of seed {seed} fulfils what is asked for")


def textured(image: Image, rng: Rng) -> Image:
    """Return an image with added texture at every scale, as photographs have it; rendered images are smooth."""
    height, width = image.shape[:2]
    texture = np.zeros(image.shape, np.float32)
    for scale in (1, 2, 4, 8, 16, 32):
        grain = rng.normal(0, TEXTURE, (height // scale + 2, width // scale + 2, 3)).astype(np.float32)
        texture += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    textured: Image = np.clip(image + texture, 0, 255).astype(np.uint8)
    return textured


def label(person: Person, names: list[str], rng: Rng, *, beyond_edge: bool = False) -> Float64:
    """Return keypoints [K, 3]: x, y, px, and visibility; a third of the hidden ones, and all outside, are zeros.

    Args:
        person: The person.
        names: Joints and landmarks; the belly is halfway between neck and pelvis.
        rng: Chooses the hidden keypoints that are labelled.
        beyond_edge: Whether keypoints outside of the image are labelled too.
    """
    points = dict(person.points)
    points["belly"] = tuple(np.mean([points["neck"], points["pelvis"]], axis=0).tolist())
    height, width = person.silhouette.shape
    found = np.zeros((len(names), 3))
    for index, (x, y) in enumerate(points[name] for name in names):
        inside = 0 <= x < width and 0 <= y < height
        if inside and person.silhouette[int(y), int(x)]:
            found[index] = x, y, SEEN
        elif beyond_edge or (inside and rng.random() < 2 / 3):
            found[index] = x, y, HIDDEN
    return found


def flat(keypoints: Float64, digits: int | None = None) -> list[float]:
    """Return K x, y, visibility as a list, rounded to `digits`, or to integers if None."""
    return [round(value, digits) for value in keypoints.ravel().tolist()]


def shown_box(person: Person) -> tuple[int, int, int, int]:
    """Return x, y, width and height of the visible part of a person, px."""
    rows, columns = person.silhouette.nonzero()
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1


def head_box(person: Person) -> tuple[float, float, float, float]:
    """Return x1, y1, x2, y2 of a head, px; it may reach beyond the image."""
    points = np.array([person.points[name] for name in ("top_head", "upper_neck", "nose", "left_ear", "right_ear")])
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return round(x1, 1), round(y1, 1), round(x2, 1), round(y2, 1)


def detect(rng: Rng, image_id: int, size: tuple[int, int], people: list[Box], count: int) -> list[dict[str, Any]]:
    """Return detections of one image, in the form of COCO's results, the highest score first.

    Each person is found once with a high score. The other boxes are copies with increasing errors, and random boxes.
    The second box equals the first one bit for bit, as in the output of some detectors.

    Args:
        rng: Random generator of all errors.
        image_id: The image.
        size: Its width and height, px.
        people: The boxes of its people.
        count: Number of boxes, at least one more than people.
    """
    found = [(_shift(rng, box, 0.03, size), 1 - 0.3 * rng.random() ** 2) for box in people]
    while len(found) < count - bool(people):
        if people and rng.random() < 0.7:
            off = 0.05 + 0.3 * rng.random()
            near = people[int(rng.integers(len(people)))]
            found.append((_shift(rng, near, off, size), 0.7 * (0.4 - off) / 0.4))
        else:
            width, height = (side * (0.05 + 0.5 * rng.random()) for side in size)
            x, y = (size[0] - width) * rng.random(), (size[1] - height) * rng.random()
            found.append(((x, y, width, height), 0.3 * rng.random() ** 2))
    found.sort(key=lambda one: -one[1])
    found = found[: bool(people)] + found
    return [
        {"bbox": [float(side) for side in box], "category_id": 1, "image_id": image_id, "score": float(score)}
        for box, score in found
    ]


def _shift(rng: Rng, box: Box, amount: float, size: tuple[int, int]) -> Box:
    """Move the sides of a box by about `amount` of its size, within the image."""
    x, y, width, height = box
    left, top, right, bottom = (amount * rng.normal(size=4)).tolist()
    x1, y1 = max(x + left * width, 0.0), max(y + top * height, 0.0)
    x2, y2 = min(x + (1 + right) * width, size[0]), min(y + (1 + bottom) * height, size[1])
    return x1, y1, max(x2 - x1, 4.0), max(y2 - y1, 4.0)


def category(names: list[str]) -> dict[str, Any]:
    """Return the category of people; the skeleton, which is not read, is a line through all keypoints."""
    skeleton = [[number, number + 1] for number in range(1, len(names))]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": skeleton}


def write_json(path: Path, content: Any) -> None:
    """Write a file, and create its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="ascii")


def write_image(path: Path, scene: Scene) -> None:
    """Write an image in the format of its extension, and create its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, scene.image)[1].tobytes())
