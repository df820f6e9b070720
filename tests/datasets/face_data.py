"""Face data sets that MMPose scores by NME: their configs, and generated annotation files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.protocol import Compute, Protocol
from harness.suites.configs import configs_folder
from harness.suites.ledger import protocol_without_files

CONFIGS = {
    "Face300WDataset": "topdown_heatmap/300w/td-hm_hrnetv2-w18_8xb64-60e_300w-256x256",
    "Face300WLPDataset": "topdown_heatmap/300wlp/td-hm_hrnetv2-w18_8xb64-60e_300wlp-256x256",
    "AFLWDataset": "topdown_heatmap/aflw/td-hm_hrnetv2-w18_8xb64-60e_aflw-256x256",
    "COFWDataset": "topdown_heatmap/cofw/td-hm_hrnetv2-w18_8xb64-60e_cofw-256x256",
    "WFLWDataset": "topdown_heatmap/wflw/td-hm_hrnetv2-w18_8xb64-60e_wflw-256x256",
    "LapaDataset": "rtmpose/lapa/rtmpose-m_8xb64-120e_lapa-256x256",
}
"""A config of each class, below MMPose's face_2d_keypoint."""
KEYPOINTS = {
    "Face300WDataset": 68,
    "Face300WLPDataset": 68,
    "AFLWDataset": 19,
    "COFWDataset": 29,
    "WFLWDataset": 98,
    "LapaDataset": 106,
}
CENTRED = ("Face300WDataset", "AFLWDataset", "WFLWDataset")
"""Classes with a centre and a scale."""
SIZE = (320, 240)


def face_config(name: str) -> Config:
    """Load the config of a class; adds the keypoints that 300W-LP's evaluator lacks, and a known decoder for LaPa."""
    config = Config.fromfile(configs_folder() / "face_2d_keypoint" / f"{CONFIGS[name]}.py", import_custom_modules=False)
    if name == "Face300WLPDataset":
        config.test_evaluator.keypoint_indices = [36, 45]
    if name == "LapaDataset":
        config.model.head.decoder = {
            "type": "MSRAHeatmap",
            "input_size": (256, 256),
            "heatmap_size": (64, 64),
            "sigma": 2,
        }
    return config


def face_protocol(name: str) -> Protocol:
    """Return the protocol of a class's config."""
    return protocol_without_files(face_config(name), Compute(engine="shared", batch_size=1, device="cpu"))


def write_faces(rng: np.random.Generator, name: str, path: Path, count: int = 12) -> dict[str, Any]:
    """Write an annotation file of faces, and return it; some are not samples, some reach beyond the image.

    Args:
        rng: Random generator of the content.
        name: The class.
        path: Path of the file.
        count: Number of annotations.
    """
    images = rng.permutation(5) + 1
    people: list[dict[str, Any]] = []
    for number in range(count):
        side = float(rng.uniform(20, 150))
        center = rng.uniform(-10, 300, 2)
        points = center + rng.normal(0, side / 4, (KEYPOINTS[name], 2))
        flags = rng.choice([0, 1, 2], KEYPOINTS[name], p=[0.2, 0.4, 0.4])
        points[flags == 0] = rng.choice([0, 1]) * points[flags == 0]
        if rng.random() < 0.1:
            points -= 1000  # no keypoint has positive coordinates
        people.append(
            {
                "id": 1000 - 7 * number,
                "image_id": int(rng.choice([*images, 99])),  # image 99 does not exist
                "category_id": 1,
                "keypoints": np.column_stack([points, flags]).ravel().tolist(),
                "num_keypoints": int(rng.choice([0, 5], p=[0.1, 0.9])),
                "iscrowd": int(rng.random() < 0.1),
                "bbox": [*(center - side / 2).tolist(), side, side * rng.choice([0, 0.7], p=[0.1, 0.9])],
                "area": side * side,
                "center": np.round(center * 2).tolist() if rng.random() < 0.5 else center.tolist(),
                "scale": float(rng.choice([0, -0.3, side / 200], p=[0.05, 0.05, 0.9])),
                "box_size": side,
            }
        )
    document = {
        "images": [{"id": int(i), "file_name": f"a/{i}.png", "width": SIZE[0], "height": SIZE[1]} for i in images],
        "annotations": people,
        "categories": [{"id": 1, "name": "face", "keypoints": [], "skeleton": []}],
    }
    path.write_text(json.dumps(document))
    return document
