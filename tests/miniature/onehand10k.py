"""OneHand10K: 21 keypoints of hands in images of any size; unused areas, no num_keypoints."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.arrays import Float64

from .figures import SEED, DataSet, Rng, write_json

ANNOTATIONS = "onehand10k/annotations/onehand10k_test.json"
IMAGES = "onehand10k"
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
NAMES = ["wrist", *(f"{finger}{joint}" for finger in FINGERS for joint in range(1, 5))]
# Id, width and height, number of hands: the real data set has one per image, others of its form have more.
PLAN = [
    (9, (238, 358), 1),
    (33, (120, 240), 1),
    (784, (480, 640), 2),
    (1402, (200, 300), 1),
    *((2000 + number, (90 + 8 * number, 160), 1) for number in range(16)),
]


def write(folder: Path) -> DataSet:
    """Write the files into MMPose's data folder.

    Some keypoints of each hand are not labelled; the last hand's box reaches beyond the image; one further hand has no
    labels.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (width, height), hands in PLAN:
        rng = np.random.default_rng([SEED, image_id])
        canvas = rng.normal(90, 25, (height, width, 3))
        name = f"Test/source/{image_id}.jpg"
        images.append({"file_name": name, "height": height, "width": width, "id": image_id})
        for number in range(hands):
            points = _hand(rng, (width * (1 + 2 * number) / (2 * hands), height * 0.6), min(width / hands, height) / 2)
            _draw(canvas, points)
            visibility = np.where(rng.random(len(NAMES)) < 0.25, 0, 1)
            keypoints = np.column_stack([points, visibility]) * (visibility > 0)[:, None]
            low, high = points.min(axis=0) - 8, points.max(axis=0) + 8
            if image_id == PLAN[-1][0]:
                high[0] = width + 30
            annotations.append(
                {
                    "bbox": [*low.round().tolist(), *(high - low).round().tolist()],
                    "keypoints": keypoints.round(2).ravel().tolist(),
                    "category_id": 1,
                    "id": image_id + number,
                    "image_id": image_id,
                    "iscrowd": 0,
                    "area": 1,
                }
            )
        path = folder / IMAGES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", np.clip(canvas, 0, 255).astype(np.uint8))[1].tobytes())
    people = len(annotations)
    nobody = {"bbox": [0, 0, 10, 10], "keypoints": [0] * 63, "id": 5000, "image_id": 784, "category_id": 1}
    annotations.append(nobody | {"iscrowd": 0, "area": 1})
    category = {"supercategory": "hand", "id": 1, "name": "hand", "keypoints": NAMES, "skeleton": []}
    write_json(folder / ANNOTATIONS, {"images": images, "annotations": annotations, "categories": [category]})
    return DataSet(tuple(image["file_name"] for image in images), people + 1, people)


def _hand(rng: Rng, wrist: tuple[float, float], size: float) -> Float64:
    """Return the keypoints [21, 2] of an open hand above its wrist, px."""
    angles = np.deg2rad(np.linspace(-150, -30, 5) + rng.normal(0, 6, 5))
    reaches = np.linspace(0.4, 1, 4)[None] * size * rng.uniform(0.6, 0.9, (5, 1))
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    fingers = (reaches[..., None] * directions[:, None]).reshape(-1, 2)
    hand: Float64 = np.concatenate([np.zeros((1, 2)), fingers]) + np.array(wrist)
    return hand


def _draw(canvas: Float64, points: Float64) -> None:
    for finger in points[1:].reshape(5, 4, 2):
        line = np.concatenate([points[:1], finger]).round().astype(np.int32)
        cv2.polylines(canvas, [line], False, (120, 160, 220), 7)
