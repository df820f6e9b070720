"""300W, 300W-LP, AFLW, COFW, WFLW and LaPa: drawn faces, some cut off at the edge, with the landmarks of each set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.arrays import Float64, Image

from .figures import SEED, DataSet, Rng, flat, textured, write_json


@dataclass(frozen=True)
class Faces:
    """The layout of a face data set."""

    folder: str
    """Folder of all its files, below `data/`."""
    images: str
    """The folder that file names are relative to, below `folder`."""
    files: tuple[str, ...]
    """Files of the images; each image has one more face than the one before."""
    landmarks: int
    corners: tuple[int, int]
    """The landmarks that are the outer corners of the right and of the left eye."""
    annotations: dict[str, tuple[int, ...]]
    """The annotation files, each with the numbers of its images."""
    centred: bool = False
    """Whether it has a centre and a scale, which define the crop instead of the box."""
    box_size: bool = False
    visibility: int = 1


ALL, FIRST, REST = (0, 1, 2), (0,), (1, 2)
WFLW = "annotations/face_landmarks_wflw_test{}.json"
_300W = "annotations/face_landmarks_300w_{}.json"
SETS = {
    "300w": Faces(
        "300w",
        "images",
        ("lfpw/testset/image_0001.png", "helen/testset/30427236_2.jpg", "ibug/image_003_1.jpg"),
        68,
        (36, 45),
        {
            _300W.format("valid"): ALL,
            _300W.format("valid_common"): (0, 1),
            _300W.format("valid_challenge"): (2,),
            _300W.format("test"): REST,
        },
        centred=True,
    ),
    "300wlp": Faces(
        "300wlp",
        "val",
        ("AFW_134212_1_0.jpg", "AFW_134212_2_0.jpg", "HELEN_3_7.jpg"),
        68,
        (36, 45),
        {"annotations/face_landmarks_300wlp_valid.json": ALL},
        visibility=2,
    ),
    "aflw": Faces(
        "aflw",
        "images",
        ("flickr/0/image22568.jpg", "flickr/2/image04476.jpg", "flickr/3/image00001.jpg"),
        19,
        (6, 11),
        {
            "annotations/face_landmarks_aflw_test.json": ALL,
            "annotations/face_landmarks_aflw_test_frontal.json": REST,
        },
        centred=True,
        box_size=True,
    ),
    "cofw": Faces(
        "cofw",
        "images",
        ("001345.jpg", "001346.jpg", "001347.jpg"),
        29,
        (8, 9),
        {"annotations/cofw_test.json": ALL},
        visibility=2,
    ),
    "wflw": Faces(
        "wflw",
        "images",
        ("0--Parade/0_Parade_marchingband_1_1.jpg", "7--Cheering/7_Cheering_7_16.jpg", "36--Football/36_415.jpg"),
        98,
        (60, 72),
        {
            WFLW.format(subset): images
            for subset, images in {
                "": ALL,
                "_largepose": FIRST,
                "_illumination": REST,
                "_occlusion": (2,),
                "_blur": (0, 2),
                "_makeup": (1,),
                "_expression": (0, 1),
            }.items()
        },
        centred=True,
    ),
    "lapa": Faces(
        "LaPa",
        "",
        ("test/images/10773046825_0.jpg", "test/images/13609937564_5.jpg", "test/images/13609937564_6.jpg"),
        106,
        (66, 79),
        {"annotations/lapa_test.json": ALL, "annotations/lapa_val.json": REST},
        visibility=2,
    ),
}
SIZE = (360, 300)


def write(folder: Path) -> dict[str, DataSet]:
    """Write the files of all these data sets into MMPose's data folder; return the content of each first file."""
    return {name: _write(folder / faces.folder, faces, seed) for seed, (name, faces) in enumerate(SETS.items())}


def _write(folder: Path, faces: Faces, seed: int) -> DataSet:
    rng = np.random.default_rng([SEED, 900 + seed])
    template = _template(rng, faces)
    images: list[dict[str, Any]] = []
    people: list[list[dict[str, Any]]] = []
    for number, name in enumerate(faces.files):
        image_id = 11 + 10 * number
        canvas = np.full((SIZE[1], SIZE[0], 3), rng.integers(60, 200, 3), np.uint8)
        here = [_draw(canvas, rng, template, count, number + 1) for count in range(number + 1)]
        path = folder / faces.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, textured(canvas, rng))[1].tobytes())
        images.append({"id": image_id, "file_name": name, "height": SIZE[1], "width": SIZE[0]})
        people.append(
            [_annotation(faces, 10 * image_id + count, image_id, points, rng) for count, points in enumerate(here)]
        )
    category = {"supercategory": "person", "id": 1, "name": "face", "keypoints": [], "skeleton": []}
    for file, chosen in faces.annotations.items():
        document = {
            "categories": [category],
            "images": [images[number] for number in chosen],
            "annotations": [person for number in chosen for person in people[number]],
        }
        write_json(folder / file, document)
    count = sum(map(len, people))
    return DataSet(faces.files, count, count)


def _template(rng: Rng, faces: Faces) -> Float64:
    """Return the landmarks [K, 2] of a face with half width 1: at random places, except the corners of the eyes."""
    angle, radius = rng.uniform(0, 2 * np.pi, faces.landmarks), rng.uniform(0.2, 1, faces.landmarks)
    template: Float64 = np.stack([radius * np.cos(angle), 1.2 * radius * np.sin(angle)], axis=1)
    template[faces.corners[0]], template[faces.corners[1]] = (-0.6, -0.3), (0.6, -0.3)
    return template


def _draw(canvas: Image, rng: Rng, template: Float64, number: int, count: int) -> Float64:
    """Draw one of `count` faces, and return its landmarks [K, 2], px; the last of three is cut off at the edge."""
    half = float(rng.uniform(0.24, 0.3)) * SIZE[0] / count
    x = SIZE[0] * (number + 0.5) / count + (1.3 * half if number == 2 else 0)
    y, tilt = SIZE[1] / 2 + float(rng.uniform(-20, 20)), float(rng.uniform(-0.4, 0.4))
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])

    def at(place: tuple[float, float]) -> tuple[int, int]:
        u, v = half * (turn @ place) + (x, y)
        return int(u), int(v)

    skin = tuple(int(value) for value in rng.integers(120, 230, 3))
    degrees = float(np.degrees(tilt))
    cv2.ellipse(canvas, at((0, 0)), (int(half), int(1.2 * half)), degrees, 0, 360, skin, -1)
    for side in (-0.4, 0.4):
        cv2.ellipse(canvas, at((side, -0.3)), (int(0.2 * half), int(0.1 * half)), degrees, 0, 360, (250, 250, 250), -1)
        cv2.circle(canvas, at((side, -0.3)), max(1, int(0.08 * half)), (40, 40, 40), -1)
    cv2.line(canvas, at((0, -0.1)), at((0, 0.3)), (90, 90, 120), 2)
    cv2.ellipse(canvas, at((0, 0.6)), (int(0.35 * half), int(0.12 * half)), degrees, 0, 360, (60, 60, 180), -1)
    landmarks: Float64 = half * (template @ turn.T) + (x, y)
    return landmarks


def _annotation(faces: Faces, number: int, image_id: int, points: Float64, rng: Rng) -> dict[str, Any]:
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    flags = np.full(len(points), faces.visibility)
    if faces.visibility == 2:
        flags[rng.random(len(points)) < 0.2] = 1  # hidden landmarks count too
    width, height = (high - low).tolist()
    annotation = {
        "image_id": image_id,
        "id": number,
        "keypoints": flat(np.column_stack([points, flags]), 3),
        "num_keypoints": len(points),
        "bbox": [*low.round(3).tolist(), round(width, 3), round(height, 3)],
        "iscrowd": 0,
        "area": round(width * height, 3),
        "category_id": 1,
    }
    if faces.centred:
        annotation |= {"center": ((low + high) / 2).round(1).tolist(), "scale": round(side / 200, 3)}
    if faces.box_size:
        annotation["scale"] = round(1.3 * side / 200, 3)
        annotation["box_size"] = round(200 * annotation["scale"], 1)
    return annotation
