"""Writes the demo suite's data sets: one in COCO's form, one in MPII's and one in CrowdPose's."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from harness.demo.annotate import ABSENT, COCO, CROWDPOSE, MPII, VISIBLE, label_keypoints, visible_box, whole_box
from harness.demo.detector import Box, detect
from harness.demo.scene import Person, Scene, Style, render_scene
from harness.demo.skeleton import Rng

SEED = 20240607
SMALLEST = 24 * 24
"""Smallest visible area in px for which a person gets labelled keypoints."""

COCO_STYLE = Style(people=(1, 1, 2, 2, 3, 4, 5), heights=(85, 430), crowded=0.3, far_crowd=0.08)
MPII_STYLE = Style(people=(1, 1, 2), heights=(110, 330), crowded=0.0)
CROWD_STYLE = Style(people=(2, 3, 4, 5, 6), heights=(110, 230), crowded=1.0, spread=(0.04, 0.8))

OnImages = Callable[[int, int | None], object]
"""Called with the number of bytes of images written so far, and None, because the total is unknown."""


@dataclass(frozen=True)
class Split:
    """The images of a data set for one purpose."""

    name: str
    """Name used in file names."""
    seed: int
    images: int
    """Number of images."""


VAL, TRAIN = Split("val", 0, 150), Split("train", 1, 1200)
CROWD_VAL, CROWD_TRAIN = Split("val", 0, 60), Split("train", 1, 500)
MPII_VAL, MPII_TRAIN = Split("val", 0, 130), Split("train", 1, 900)


def write_coco(folder: Path, part: Split, progress: OnImages) -> None:
    """Write images, annotations and detections in COCO's form.

    Args:
        folder: Output folder; gets the folders `annotations` and that of the split.
        part: The split to write.
        progress: Called after each image.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for image_id, scene, rng in _scenes(folder, part, COCO_STYLE, 1, progress):
        images.append(_image(image_id, scene))
        boxes: list[tuple[Box, float]] = []
        for person in reversed(scene.people):  # the nearest first, as most annotators do
            box = visible_box(person)
            if box is None:
                continue
            area = int(person.silhouette.sum())
            labels = _labels(person, COCO) if area >= SMALLEST else [0] * (3 * len(COCO))
            annotations.append(_annotation(annotations, image_id, box, labels) | {"area": area})
            boxes.append((box, _shown(person)))
        lures: list[Box] = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in scene.dummies]
        if scene.far_crowd is not None:
            x1, y1, x2, y2 = (round(value) for value in scene.far_crowd)
            x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, scene.size[0]), min(y2, scene.size[1])
            crowd = _annotation(annotations, image_id, (x1, y1, x2 - x1, y2 - y1), [0] * (3 * len(COCO)))
            annotations.append(crowd | {"area": (x2 - x1) * (y2 - y1), "iscrowd": 1})
            lures.append((x1, y1, x2 - x1, y2 - y1))
        detections += detect(rng, image_id, scene.size, boxes, lures)
    _write_coco(folder / "annotations" / f"person_keypoints_{part.name}.json", images, annotations, COCO)
    _write_json(folder / "annotations" / f"detections_{part.name}.json", detections)


def write_crowdpose(folder: Path, part: Split, progress: OnImages) -> None:
    """Write images, annotations and detections in CrowdPose's form; arguments as for `write_coco`."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for image_id, scene, rng in _scenes(folder, part, CROWD_STYLE, 2, progress):
        own, boxes = [], []
        for person in reversed(scene.people):
            labels = _labels(person, CROWDPOSE)
            if person.silhouette.sum() < SMALLEST or VISIBLE not in labels[2::3]:
                continue
            box = whole_box(person)
            # CrowdPose counts only visible keypoints.
            count = {"num_keypoints": labels[2::3].count(VISIBLE)}
            annotations.append(_annotation(annotations, image_id, box, labels) | count)
            own.append((box, labels))
            boxes.append((box, _shown(person)))
        images.append(_image(image_id, scene) | {"crowdIndex": crowd_index(own)})
        detections += detect(rng, image_id, scene.size, boxes, [])
    _write_coco(folder / "annotations" / f"crowdpose_{part.name}.json", images, annotations, CROWDPOSE)
    _write_json(folder / "annotations" / f"detections_{part.name}.json", detections)


def crowd_index(people: list[tuple[tuple[float, float, float, float], list[int]]]) -> float:
    """Return CrowdPose's crowd index of an image (arXiv 1812.00324, section 4.1), at most 1.

    The mean over people of the number of other people's keypoints in their box divided by the number of their own.

    Args:
        people: Box and keypoints of each person; a keypoint has 3 numbers.
    """
    ratios = []
    for box, _ in people:
        x, y, width, height = box
        inside = []
        for _, labels in people:
            points = np.array(labels).reshape(-1, 3)
            labelled = points[points[:, 2] > 0]
            within = (labelled[:, :2] >= (x, y)) & (labelled[:, :2] <= (x + width, y + height))
            inside.append(int(within.all(axis=1).sum()))
        me = [other is box for other, _ in people].index(True)
        ratios.append((sum(inside) - inside[me]) / max(inside[me], 1))
    return round(min(sum(ratios) / max(len(ratios), 1), 1.0), 4)


def write_mpii(folder: Path, part: Split, progress: OnImages) -> None:
    """Write images, annotations and head boxes in MPII's form, pixels counted from 1; arguments as for `write_coco`."""
    people: list[dict[str, Any]] = []
    heads: list[list[list[float]]] = []
    for image_id, scene, _ in _scenes(folder, part, MPII_STYLE, 3, progress):
        for person in scene.people:
            labels = np.array(_labels(person, MPII)).reshape(-1, 3)
            labelled = labels[:, 2] != ABSENT
            if person.silhouette.sum() < 2 * SMALLEST or labelled.sum() < 8 or not labelled[8:10].all():
                continue
            left, top, right, bottom = person.extent
            people.append(
                {
                    "image": f"{image_id:012}.png",
                    "center": [round((left + right) / 2 + 1, 1), round((top + bottom) / 2 + 1, 1)],
                    "scale": round((bottom - top) / 200, 4),
                    "joints": np.where(labelled[:, None], labels[:, :2] + 1, -1).astype(float).tolist(),
                    "joints_vis": labelled.astype(int).tolist(),
                }
            )
            heads.append(_head_box(person))
    _write_json(folder / "annotations" / f"mpii_{part.name}.json", people)
    joints = np.array([person["joints"] for person in people])
    _write_mat(
        folder / "annotations" / f"mpii_gt_{part.name}.mat",
        headboxes_src=np.array(heads).transpose(1, 2, 0),
        pos_gt_src=joints.transpose(1, 2, 0),
        jnt_missing=1 - np.array([person["joints_vis"] for person in people], float).T,
    )


def _head_box(person: Person) -> list[list[float]]:
    """Return the corners of a box around a head, px counted from 1."""
    points = np.array([person.points[name] for name in ("top_head", "upper_neck", "nose", "left_ear", "right_ear")])
    low, high = points.min(axis=0) + 1, points.max(axis=0) + 1
    return [np.round(low, 1).tolist(), np.round(high, 1).tolist()]


def _scenes(folder: Path, part: Split, style: Style, kind: int, progress: OnImages) -> Iterator[tuple[int, Scene, Rng]]:
    """Render and write the images of a split; yield each image's id, scene and random generator."""
    (folder / part.name).mkdir(parents=True)
    written = 0
    for image_id in range(1, part.images + 1):
        rng = np.random.default_rng([SEED, kind, part.seed, image_id])
        scene = render_scene(rng, style)
        _, data = cv2.imencode(".png", scene.image)
        written += (folder / part.name / f"{image_id:012}.png").write_bytes(data.tobytes())
        progress(written, None)
        yield image_id, scene, rng


def _image(image_id: int, scene: Scene) -> dict[str, Any]:
    width, height = scene.size
    return {"id": image_id, "file_name": f"{image_id:012}.png", "width": width, "height": height}


def _labels(person: Person, names: list[str]) -> list[int]:
    return [value for point in label_keypoints(person, names) for value in (point.x, point.y, point.flag)]


def _annotation(
    known: list[dict[str, Any]], image_id: int, box: tuple[float, ...], labels: list[int]
) -> dict[str, Any]:
    return {
        "id": len(known) + 1,
        "image_id": image_id,
        "category_id": 1,
        "bbox": list(box),
        "keypoints": labels,
        "num_keypoints": sum(flag > 0 for flag in labels[2::3]),
        "iscrowd": 0,
    }


def _shown(person: Person) -> float:
    """Return the approximate visible share of a person: area of the visible box over that of the whole box."""
    box = visible_box(person)
    left, top, right, bottom = person.extent
    return min(box[2] * box[3] / ((right - left) * (bottom - top)), 1.0) if box else 0.0


def _write_coco(path: Path, images: list[Any], annotations: list[Any], names: list[str]) -> None:
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": names}
    _write_json(path, {"images": images, "annotations": annotations, "categories": [category]})


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="ascii")


def _write_mat(path: Path, **arrays: Any) -> None:
    """Write a MATLAB 5 file without the platform and the time that savemat writes into its first 116 bytes."""
    content = io.BytesIO()
    savemat(content, arrays)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + content.getvalue()[116:])
