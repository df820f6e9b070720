"""Random annotation files of the further data sets, and the samples that MMPose's own classes read from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope

from harness.openmmlab.stand_ins import install_stand_ins
from harness.protocol import Compute, Protocol
from harness.suites.configs import configs_folder
from harness.suites.ledger import protocol_without_files
from harness.suites.metainfo import read_metainfo

CONFIGS = {
    "animalkingdom": "animal_2d_keypoint/topdown_heatmap/ak/td-hm_hrnet-w32_8xb32-300e_animalkingdom_P2-256x256.py",
    "animalpose": "animal_2d_keypoint/topdown_heatmap/animalpose/td-hm_res50_8xb64-210e_animalpose-256x256.py",
    "ap10k": "animal_2d_keypoint/topdown_heatmap/ap10k/td-hm_res50_8xb64-210e_ap10k-256x256.py",
    "ap10k, udp": "animal_2d_keypoint/topdown_heatmap/ap10k/cspnext-m_udp_8xb64-210e_ap10k-256x256.py",
    "locust": "animal_2d_keypoint/topdown_heatmap/locust/td-hm_res50_8xb64-210e_locust-160x160.py",
    "zebra": "animal_2d_keypoint/topdown_heatmap/zebra/td-hm_res50_8xb64-210e_zebra-160x160.py",
    "exlpose": "body_2d_keypoint/topdown_heatmap/exlpose/td-hm_hrnet-w32_8xb64-210e_exlpose-256x192.py",
    "deepfashion full": "fashion_2d_keypoint/topdown_heatmap/deepfashion/"
    "td-hm_res50_8xb64-210e_deepfashion_full-256x192.py",
    "deepfashion upper": "fashion_2d_keypoint/topdown_heatmap/deepfashion/"
    "td-hm_res50_8xb64-210e_deepfashion_upper-256x192.py",
    "deepfashion lower": "fashion_2d_keypoint/topdown_heatmap/deepfashion/"
    "td-hm_hrnet-w32_udp_8xb64-210e_deepfashion_lower-256x192.py",
    "deepfashion2": "fashion_2d_keypoint/topdown_heatmap/deepfashion2/"
    "td-hm_res50_1xb64-210e_deepfasion2-skirt-256x192.py",
    "freihand": "hand_2d_keypoint/topdown_heatmap/freihand2d/td-hm_res50_8xb64-100e_freihand2d-224x224.py",
    "onehand10k": "hand_2d_keypoint/topdown_heatmap/onehand10k/td-hm_res50_8xb32-210e_onehand10k-256x256.py",
    "rhd": "hand_2d_keypoint/topdown_heatmap/rhd2d/td-hm_hrnetv2-w18_udp-8xb64-210e_rhd2d-256x256.py",
}
WHOLE_IMAGE = {"freihand": 224, "locust": 160, "zebra": 160}
"""Side in px of the square that is the box of every sample."""


def load(name: str) -> Config:
    """Return MMPose's config of a data set."""
    return Config.fromfile(configs_folder() / CONFIGS[name], import_custom_modules=False)


def protocol_of(config: Config) -> Protocol:
    """Return the protocol of a config, with any metric, because the tests concern the steps before it."""
    config = config.copy()
    config.test_evaluator = {"type": "JhmdbPCKAccuracy", "thr": 0.2, "norm_item": "bbox"}
    return protocol_without_files(config, Compute(engine="shared", batch_size=4, device="cpu"))


def write(rng: np.random.Generator, name: str, path: Path) -> None:
    """Write an annotation file with the difficult cases of each class: orders, boxes, counts, crowds, and zeros."""
    keypoints = len(read_metainfo(load(name).test_dataloader.dataset).names)
    whole = name in WHOLE_IMAGE
    ids = rng.choice(60, 5, replace=False).tolist()
    images = [
        {
            "id": number,
            "file_name": f"some/folder/{number}.jpg",
            "width": WHOLE_IMAGE.get(name) or int(rng.integers(20, 300)),
            "height": WHOLE_IMAGE.get(name) or int(rng.integers(20, 300)),
        }
        for number in ids
    ]
    people = []
    for person_id in rng.permutation(12).tolist():
        image = images[int(rng.integers(len(images)))]
        points = rng.uniform(-30, 330, (keypoints, 3)).round(int(rng.integers(0, 4)))
        points[:, 2] = rng.choice([0, 1, 2, 0.25], keypoints)
        points[rng.random(keypoints) < rng.choice([0, 0.5, 1])] = 0
        if rng.random() < 0.1:
            points[:, :2] = -np.abs(points[:, :2])
        person: dict[str, Any] = {
            "id": person_id * 7,
            "image_id": image["id"],
            "category_id": int(rng.integers(1, 6)),
            "bbox": rng.uniform([-60, -60, -5, -5], [280, 280, 200, 200]).round(2).tolist(),
            "keypoints": points.tolist() if name == "rhd" and rng.random() < 0.8 else points.ravel().tolist(),
            "num_keypoints": int(rng.choice([0, keypoints, (points[:, 2] > 0).sum()])),
            "iscrowd": int(rng.random() < 0.15),
            "segmentation": [],
        }
        if name == "freihand" or not whole:  # MMPose's classes of locusts and zebras require all other fields
            absent = ["num_keypoints", "area"] if whole else ["num_keypoints", "iscrowd", "bbox", "keypoints"]
            for field in absent:
                if rng.random() < 0.2:
                    person.pop(field, None)
        if whole and rng.random() < 0.5:
            del person["bbox"]
        people.append(person)
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": []}))


def upstream_samples(config: Config, annotations: Path, images: Path) -> list[dict[str, Any]]:
    """Return the samples of MMPose's own class, each with the centre and the scale of its crop."""
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.datasets.transforms import TopdownAffine
    from mmpose.registry import DATASETS, TRANSFORMS

    settings = config.test_dataloader.dataset.copy()
    pipeline = {step["type"]: step for step in settings.pop("pipeline")}
    settings.update(data_root=None, ann_file=str(annotations), data_prefix={"img": str(images)}, serialize_data=False)
    with DefaultScope.overwrite_default_scope("mmpose"):
        samples: list[dict[str, Any]] = DATASETS.build({**settings, "pipeline": []}).data_list
        measure = TRANSFORMS.build(pipeline["GetBBoxCenterScale"])
    width, height = pipeline["TopdownAffine"]["input_size"]
    for sample in samples:
        sample.update(measure.transform(dict(sample)))
        sample["bbox_scale"] = TopdownAffine._fix_aspect_ratio(sample["bbox_scale"], aspect_ratio=width / height)
    return samples
