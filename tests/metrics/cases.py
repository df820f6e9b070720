"""Random annotations, results and predictions with many edge cases of the evaluation."""

from typing import Any

import numpy as np

from harness.predictions import Predictions

Generator = np.random.Generator

COCO_SIGMAS = tuple(
    sigma / 10
    for sigma in (0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89)
)
AIC_SIGMAS = (
    0.01388152,
    0.01515228,
    0.01057665,
    0.01417709,
    0.01497891,
    0.01402144,
    0.03909642,
    0.03686941,
    0.01981803,
    0.03843971,
    0.03412318,
    0.02415081,
    0.01291456,
    0.01236173,
)
CROWDPOSE_SIGMAS = (0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079)

AREAS = (0, 32**2, 96**2, 1e5**2, 1023.999, 9216.001, 700.5, 5000, 20000)
SIDES = (0, 16, 32, 96, 31.5, 60, 100.25, 300)


def annotations(rng: Generator, num_keypoints: int, images: int = 6) -> dict[str, Any]:
    """Return a COCO-style document with 'area', 'num_keypoints' and 'crowdIndex', and sometimes 'iscrowd'."""
    image_ids = rng.choice(1000, images, replace=False)
    people: list[dict[str, Any]] = []
    for image_id in image_ids:
        for _ in range(rng.integers(0, 6)):
            width, height = rng.choice(SIDES, 2)
            x, y = rng.integers(0, 400, 2)
            keypoints = np.zeros((num_keypoints, 3))
            keypoints[:, :2] = (
                np.round(rng.uniform([x, y], [x + width + 1, y + height + 1], (num_keypoints, 2)) * 4) / 4
            )
            keypoints[:, 2] = rng.choice([0, 1, 2], num_keypoints) * (rng.random() > 0.2)
            visible = int((keypoints[:, 2] == 2).sum())
            people.append(
                {
                    "id": len(people),
                    "image_id": int(image_id),
                    "category_id": 1,
                    "keypoints": keypoints.ravel().tolist(),
                    "bbox": [float(x), float(y), float(width), float(height)],
                    "area": float(rng.choice(AREAS)),
                    "num_keypoints": visible if rng.random() > 0.2 else int(rng.integers(0, 3)),
                    "iscrowd": int(rng.random() < 0.15),
                }
            )
            if rng.random() < 0.2:
                del people[-1]["iscrowd"]
    if not any(value > 0 for person in people for value in person["keypoints"][2::3]):
        return annotations(rng, num_keypoints, images)
    rng.shuffle(people)  # type: ignore[arg-type]
    return {
        "images": [{"id": int(i), "crowdIndex": float(rng.choice([0, 0.1, 0.2, 0.5, 0.8, 1]))} for i in image_ids],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }


def poses(rng: Generator, document: dict[str, Any], num_keypoints: int, most: int) -> list[dict[str, Any]]:
    """Return poses near the annotated people and away from them, up to `most` per image, in any order."""
    scores = rng.choice([0.1, 0.5, 0.5, 0.9], 50) if rng.random() < 0.5 else rng.random(50)
    found = []
    for image in document["images"]:
        people = [person for person in document["annotations"] if person["image_id"] == image["id"]]
        for _ in range(rng.integers(0, most + 1)):
            points = rng.uniform(0, 500, (num_keypoints, 2))
            if people and rng.random() < 0.8:
                points = np.array(people[rng.integers(len(people))]["keypoints"]).reshape(-1, 3)[:, :2]
                points = points + rng.normal(0, rng.choice([0, 0.5, 3, 10]), points.shape)
                # So far away that these keypoints add exactly 0: OKS is then m/n, sometimes equal to a threshold.
                points[rng.random(num_keypoints) < rng.choice([0, 0, 0.25, 0.5])] += 1e7
            keypoint_scores = rng.uniform(-0.1, 1, num_keypoints)
            if rng.random() < 0.1:
                keypoint_scores = np.minimum(keypoint_scores, 0)
            found.append(
                {
                    "image_id": image["id"],
                    "category_id": 1,
                    "keypoints": np.column_stack([points, keypoint_scores]).ravel().tolist(),
                    "score": float(rng.choice(scores)),
                    "bbox": [*rng.uniform(0, 400, 2).tolist(), *rng.choice(SIDES, 2).tolist()],
                }
            )
    rng.shuffle(found)  # type: ignore[arg-type]
    return found


def predictions(rng: Generator, document: dict[str, Any], num_keypoints: int, dtype: Any) -> Predictions:
    """Return predictions for boxes: near-duplicates, repeated people, and images in any order."""
    found = poses(rng, document, num_keypoints, most=30)
    found += [found[index] for index in rng.integers(0, len(found), len(found) // 2)] if found else []
    keypoints = np.array([pose["keypoints"] for pose in found]).reshape(-1, num_keypoints, 3)
    boxes = np.array([pose["bbox"] for pose in found], np.float32).reshape(-1, 4)
    keypoints[..., :2] += rng.normal(0, rng.choice([0, 1, 5]), keypoints[..., :2].shape)
    return Predictions(
        person_ids=rng.integers(0, 2 * len(found) + 1, len(found)),
        image_ids=np.array([pose["image_id"] for pose in found], np.int64),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        box_scores=np.array([pose["score"] for pose in found], np.float32),
        crop_areas=rng.uniform(100, 50000, len(found)).astype(np.float32),
        keypoints=keypoints[..., :2].astype(dtype),
        keypoint_scores=np.where(rng.random(keypoints.shape[:2]) < 0.1, 0.2, keypoints[..., 2]).astype(np.float32),
    )
