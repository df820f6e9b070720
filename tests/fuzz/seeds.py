"""Small valid files of every kind that is read."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import savemat

from harness.predictions import Predictions

Array = npt.NDArray[Any]

POSETRACK = [
    "nose",
    "head_bottom",
    "head_top",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_array(path: Path, array: Array, name: str = "preds") -> None:
    """Write an array in the format of the suffix; 7.3.mat is HDF5 with the dimensions in reverse order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".h5" or path.name.endswith("7.3.mat"):
        with h5py.File(path, "w") as file:
            chunked = {"chunks": True, "compression": "gzip"} if array.ndim and array.size else {}
            file.create_dataset(name, data=array if path.suffix == ".h5" else array.T, **chunked)
            file["others/zeros"] = np.zeros((2, 3))
    elif path.suffix == ".mat":
        savemat(path, {name: array, "threshold": 0.5, "model": "x"}, do_compression=bool(array.size % 2))
    else:
        write_json(path, array.tolist())


def points(people: int, keypoints: int) -> Array:
    """Return keypoints [people, keypoints, 2] inside an image of 64 x 48 px."""
    rows = np.arange(people * keypoints, dtype=np.float64).reshape(people, keypoints)
    return np.stack([5 + rows * 7 % 50, 4 + rows * 5 % 40], axis=-1)


def annotations(keypoints: int) -> dict[str, Any]:
    """Return a COCO-style document of two images and four people: one without keypoints, one a crowd."""
    flagged = np.concatenate([points(4, keypoints), np.full((4, keypoints, 1), 2.0)], axis=-1)
    flagged[2] = 0
    people = [
        {
            "id": 10 + number,
            "image_id": 7 - number % 2,
            "category_id": 1,
            "keypoints": flagged[number].ravel().tolist(),
            "bbox": [4.0, 3.0, 52.0, 42.5],
            "area": 1500.5,
            "num_keypoints": 0 if number == 2 else keypoints,
            "iscrowd": int(number == 3),
        }
        for number in range(4)
    ]
    return {
        "images": [
            {"id": image, "file_name": f"{image}.jpg", "width": 64, "height": 48, "crowdIndex": 0.3} for image in (6, 7)
        ],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }


def detections() -> list[dict[str, Any]]:
    """Return the boxes of a detector; one has another class than person."""
    return [
        {"image_id": image, "category_id": category, "bbox": [4.5, 3, 50, 40.25], "score": score}
        for image, category, score in ((6, 1, 0.9), (7, 1, 0.4), (7, 3, 0.8), (7, 1, 0.1))
    ]


def results(keypoints: int) -> list[dict[str, Any]]:
    """Return poses in the form of a COCO results file."""
    found = np.concatenate([points(3, keypoints) + 1, np.full((3, keypoints, 1), 0.75)], axis=-1)
    return [
        {"image_id": image, "category_id": 1, "keypoints": pose.ravel().tolist(), "score": 0.5, "bbox": [4, 3, 50, 40]}
        for image, pose in zip((6, 7, 7), found, strict=True)
    ]


def mpii() -> list[dict[str, Any]]:
    return [
        {
            "image": f"01560186{number}.jpg",
            "center": [30.0, 25.5],
            "scale": 0.25,
            "joints": points(1, 16)[0].tolist(),
            "joints_vis": [1] * 15 + [0],
        }
        for number in range(2)
    ]


def headboxes() -> Array:
    """Return MPII's head boxes, [2 corners, 2, people]."""
    return np.stack([np.full((2, 2), 5.0), np.full((2, 2), 15.0)])


def sequence(first: int, scored: bool) -> dict[str, Any]:
    """Return a PoseTrack18 file of two frames with one person each, annotated or predicted."""
    people = [
        {
            "id": 100 * frame,
            "image_id": frame,
            "track_id": 0,
            "keypoints": np.concatenate([points(1, 17)[0], np.ones((17, 1))], axis=1).ravel().tolist(),
            "bbox": [4, 3, 50, 40],
            **({"scores": [0.5] * 17, "score": 0.5} if scored else {"bbox_head": [4, 3, 12, 14]}),
        }
        for frame in (first, first + 1)
    ]
    frames: list[dict[str, Any]] = [
        {"id": frame, "file_name": f"images/{frame}.jpg", "width": 64, "height": 48} for frame in (first, first + 1)
    ]
    frames[0] |= {"ignore_regions_x": [[0, 9, 9]], "ignore_regions_y": [[0, 0, 9]]}
    return {"images": frames, "annotations": people, "categories": [{"name": "person", "keypoints": POSETRACK}]}


def predictions(ids: Array, images: Array, keypoints: int) -> Predictions:
    """Return predictions of a person for each id."""
    found = points(len(ids), keypoints).astype(np.float32)
    return Predictions(
        person_ids=ids,
        image_ids=images,
        boxes=np.tile(np.array([4, 3, 56, 45], np.float32), (len(ids), 1)),
        box_scores=np.full(len(ids), 0.5, np.float32),
        crop_areas=np.full(len(ids), 2000, np.float32),
        keypoints=found,
        keypoint_scores=np.full(found.shape[:2], 0.5, np.float32),
    )


SUITE = """\
schema_version: 1
name: mine
title: My table
dataset:
  name: COCO
  num_keypoints: 17
  annotations: coco/annotations/person_keypoints_val2017.json
  images: coco/val2017
  boxes: coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json
  box_person_ap: 56.4
  extra: {more: coco/more.json}
  counts: {images: 5000, people: 6352, boxes: 104125}
metrics:
  AP: {label: AP, unit: fraction, decimals: 3, tolerance: 0.001, reason: why not}
  AR: {label: AR, unit: fraction, decimals: 3, metafile_key: AR}
rows:
  - id: first-256x192
    label: First
    label_note: none
    input_size: 256x192
    boxes: ground-truth
    published:
      table: {AP: 0.749, AR: {value: 0.8, published_as: AR@0.5, refuted: typed wrongly, gates: false}}
    unconfirmed: {AR: nobody says}
    runs:
      val:
        config: first.py
        annotations: coco/annotations/other.json
        checkpoint:
          url: https://example.org/first-0123abcd_20240101.pth
          sha256: "0123abcd"
          hash_is_stale: made again
    overrides:
      - {field: bbox_file, value: null, reason: it has none}
      - {field: data_prefix, value: {img: val2017/}, reason: another folder}
      - {field: filter_cfg, value: {bbox_score_thr: 0.5}, reason: fewer boxes}
    notes: [one, two]
  - id: second-256x192
    label: Second
    input_size: 256x192
    boxes: detector
    published: {metafile: {AP: 0.746}, table: {AP: 0.749}}
    runs:
      val:
        config: body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py
        checkpoint:
          url: https://download.openmmlab.com/mmpose/v1/td-hm_res50_8xb64-210e_coco-256x192-04af38ce_20220923.pth
          sha256: "04af38ce"
"""
CONFIG = """\
codec = dict(type="MSRAHeatmap", input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
model = dict(head=dict(decoder=codec, out_channels=17), test_cfg=dict(flip_test=True, shift_heatmap=True))
test_dataloader = dict(
    dataset=dict(
        type="CocoDataset",
        data_root="data/coco/",
        ann_file="annotations/person_keypoints_val2017.json",
        data_prefix=dict(img="val2017/"),
        pipeline=[
            dict(type="LoadImage"),
            dict(type="GetBBoxCenterScale"),
            dict(type="TopdownAffine", input_size=codec["input_size"]),
            dict(type="PackPoseInputs"),
        ],
    )
)
val_dataloader = test_dataloader
test_evaluator = dict(type="CocoMetric", ann_file="data/coco/annotations/person_keypoints_val2017.json")
"""
