"""A small custom data set with a small network: three images with two people each, of five keypoints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.predictions import Predictions

NAMES = ("nose", "left_hand", "right_hand", "left_foot", "right_foot")
SIZE = 320, 240
BOXES = ((60, 50, 70, 110), (170, 90, 60, 100))
PLACES = ((0.5, 0.05), (0.1, 0.5), (0.9, 0.5), (0.2, 0.95), (0.8, 0.95))
"""Positions of the keypoints, as shares of the box."""
ANNOTATIONS = "own/val.json"

SUITE = """\
schema_version: 1
name: own
title: Own
dataset: {name: Own, num_keypoints: 5, annotations: own/val.json, images: own/images}
metrics: {AP: {label: AP, unit: fraction, decimals: 3}}
rows:
  - id: net-64x64
    label: Net
    input_size: 64x64
    boxes: ground-truth
    published: {table: {AP: 0.5}}
    runs: {val: {config: net.py, checkpoint: {url: net.pth, sha256: "0000000000000000"}}}
"""
CONFIG = """\
_base_ = ["mmpose::_base_/default_runtime.py"]
codec = dict(type="MSRAHeatmap", input_size=(64, 64), heatmap_size=(16, 16), sigma=1)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type="ResNet", depth=18, stem_channels=8, base_channels=8),
    head=dict(
        type="HeatmapHead",
        in_channels=64,
        out_channels=5,
        deconv_out_channels=(16, 16, 16),
        deconv_kernel_sizes=(4, 4, 4),
        loss=dict(type="KeypointMSELoss", use_target_weight=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=False),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type="CocoDataset",
        data_root="data/own/",
        data_mode="topdown",
        metainfo=dict(from_file="own_info.py"),
        ann_file="val.json",
        data_prefix=dict(img="images/"),
        test_mode=True,
        pipeline=[
            dict(type="LoadImage"),
            dict(type="GetBBoxCenterScale"),
            dict(type="TopdownAffine", input_size=(64, 64)),
            dict(type="PackPoseInputs"),
        ],
    ),
)
val_dataloader = test_dataloader
test_evaluator = dict(type="CocoMetric", ann_file="data/own/val.json")
val_evaluator = test_evaluator
"""


def write_own(folder: Path) -> None:
    """Write the suite, its config and metainfo, and its data."""
    (folder / "own.yaml").write_text(SUITE)
    (folder / "net.py").write_text(CONFIG)
    write_metainfo(folder)
    (folder / "data/own/images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in (1, 2, 3):
        pixels = np.kron(rng.integers(0, 255, (SIZE[1] // 20, SIZE[0] // 20, 3)), np.ones((20, 20, 1)))
        Image.fromarray(pixels.astype(np.uint8)).save(image(folder, number))
    write_document(folder, document())


def write_metainfo(folder: Path, sigmas: Any = (0.05,) * 5) -> None:
    """Write the metainfo file of the config's keypoints."""
    info = {
        number: {"name": name, "id": number, "color": [255, 0, 0], "type": "", "swap": ""}
        for number, name in enumerate(NAMES)
    }
    fields = {
        "dataset_name": "own",
        "paper_info": {},
        "keypoint_info": info,
        "skeleton_info": {},
        "joint_weights": [1.0] * 5,
        "sigmas": list(sigmas),
    }
    (folder / "own_info.py").write_text(f"dataset_info = {fields!r}\n")


def image(folder: Path, number: int) -> Path:
    """Return the path of an image."""
    return folder / f"data/own/images/{number}.jpg"


def document() -> Any:
    """Return valid annotations."""
    people = []
    for number in range(6):
        x, y, width, height = box = BOXES[number % 2]
        points = [(x + u * width + number, y + v * height, 2) for u, v in PLACES]
        people.append(
            {
                "id": number + 1,
                "image_id": number // 2 + 1,
                "category_id": 1,
                "bbox": list(box),
                "area": 0.5 * width * height,
                "num_keypoints": 5,
                "keypoints": [round(value, 2) for point in points for value in point],
            }
        )
    return {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": SIZE[0], "height": SIZE[1]} for number in (1, 2, 3)
        ],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES)}],
    }


def results() -> list[dict[str, Any]]:
    """Return results that are the annotated people, slightly shifted."""
    return [
        {
            "image_id": person["image_id"],
            "category_id": 1,
            "keypoints": [value + (place % 3 < 2) for place, value in enumerate(person["keypoints"])],
            "score": 1 - person["id"] / 10,
        }
        for person in document()["annotations"]
    ]


def write_document(folder: Path, content: Any) -> None:
    """Write the annotation file."""
    (folder / "data" / ANNOTATIONS).write_text(json.dumps(content))


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the annotation file."""
    content = json.loads((folder / "data" / ANNOTATIONS).read_text())
    change(content)
    write_document(folder, content)


def annotate_as_predicted(content: Any, predictions: Predictions) -> None:
    """Put annotated keypoints near the predicted ones, so that metrics are neither 0 nor 1."""
    rng = np.random.default_rng(0)
    of_person = dict(zip(predictions.person_ids.tolist(), predictions.keypoints, strict=True))
    for person in content["annotations"]:
        points = of_person[person["id"]] + rng.normal(scale=person["id"], size=(5, 2))
        flags = np.full((5, 1), 2)
        person["keypoints"] = np.concatenate([points, flags], axis=1).round(2).ravel().tolist()
