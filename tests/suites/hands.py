"""A custom suite: hands of 21 keypoints, with images, annotations, boxes, metainfo and a small network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
NAMES = ("wrist", *(f"{finger}{joint}" for finger in FINGERS for joint in range(1, 5)))
SIZE = (120, 100)
SUITE = """\
schema_version: 1
name: hands
title: Hands
dataset:
  name: Hands
  num_keypoints: 21
  annotations: hands/val.json
  images: hands/images
  boxes: hands/boxes.json
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
  - id: net-64x64
    label: Net
    input_size: 64x64
    boxes: ground-truth
    published:
      table: {AP: 0.5}
    runs:
      val: {config: net.py, checkpoint: {url: net.pth, sha256: null}}
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
        type="HeatmapHead", in_channels=64, out_channels=21, deconv_out_channels=(16, 16, 16),
        deconv_kernel_sizes=(4, 4, 4), loss=dict(type="KeypointMSELoss", use_target_weight=True), decoder=codec,
    ),
    test_cfg=dict(flip_test=False),
)
data_root = "data/hands/"
val_dataloader = dict(
    batch_size=4, num_workers=0, drop_last=False, sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type="CocoDataset", data_root=data_root, data_mode="topdown", metainfo=dict(from_file="info.py"),
        ann_file="val.json", data_prefix=dict(img="images/"), test_mode=True,
        pipeline=[
            dict(type="LoadImage"), dict(type="GetBBoxCenterScale"),
            dict(type="TopdownAffine", input_size=codec["input_size"]), dict(type="PackPoseInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="CocoMetric", ann_file=data_root + "val.json")
test_evaluator = val_evaluator
"""


def info(**changes: Any) -> str:
    """Return a metainfo file; fields of `dataset_info` are changed, or removed if the change is None."""
    keypoints = {number: {"name": name, "swap": ""} for number, name in enumerate(NAMES)}
    fields = {"keypoint_info": keypoints, "skeleton_info": {}, "joint_weights": [1.0] * 21, "sigmas": [0.05] * 21}
    kept = {"dataset_name": "hands"} | {k: v for k, v in (fields | changes).items() if v is not None}
    return f"dataset_info = {kept!r}\n"


def annotations(count: int = len(NAMES)) -> dict[str, Any]:
    """Return annotations of three images with two hands each, and a crowd, which is not evaluated."""
    rng = np.random.default_rng(0)
    people: list[dict[str, Any]] = []
    for number in range(7):
        x, y, width, height = [int(value) for value in rng.integers((1, 1, 30, 30), (60, 50, 58, 48))]
        points = np.column_stack(
            [rng.uniform(x, x + width, count), rng.uniform(y, y + height, count), np.full(count, 2)]
        )
        people.append(
            {
                "id": 11 + number,
                "image_id": 1 + number % 3,
                "category_id": 1,
                "iscrowd": int(number == 6),
                "bbox": [x, y, width, height],
                "area": 0.6 * width * height,
                "num_keypoints": count,
                "keypoints": points.round(1).ravel().tolist(),
            }
        )
    images = [{"id": n, "file_name": f"im_{n}.jpg", "width": SIZE[0], "height": SIZE[1]} for n in (1, 2, 3)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "hand"}]}


def boxes() -> list[dict[str, Any]]:
    """Return a detector's boxes: the annotated boxes, slightly moved."""
    return [
        {
            "image_id": one["image_id"],
            "category_id": 1,
            "bbox": [value + 3 for value in one["bbox"]],
            "score": 0.9 - 0.1 * number,
        }
        for number, one in enumerate(annotations()["annotations"])
    ]


class Hands:
    """The files of the suite in a folder.

    Args:
        folder: Folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.suite, self.config, self.info = folder / "mine.yaml", folder / "net.py", folder / "info.py"
        self.data = folder / "data"
        images = self.data / "hands" / "images"
        images.mkdir(parents=True)
        rng = np.random.default_rng(1)
        for number in (1, 2, 3):
            pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / f"im_{number}.jpg")
        self.suite.write_text(SUITE)
        self.config.write_text(CONFIG)
        self.info.write_text(info())
        (folder / "net.pth").write_bytes(b"weights")
        self.write("val.json", annotations())
        self.write("boxes.json", boxes())

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file of the data set."""
        (self.data / "hands" / name).write_text(json.dumps(content))

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """Change a JSON file of the data set."""
        content = json.loads((self.data / "hands" / name).read_text())
        change(content)
        self.write(name, content)

    def replace(self, path: Path, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        text = path.read_text()
        assert text.count(old) == 1, (path, old)
        path.write_text(text.replace(old, new))
