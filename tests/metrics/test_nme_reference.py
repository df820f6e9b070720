"""NME of perfect and of shifted predictions on MMPose's samples of faces, against the scores that MMPose gave them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from harness.datasets.lookup import dataset_class
from harness.datasets.people import load_people
from harness.errors import SpecError
from harness.metrics.families.nme import PLUGIN
from harness.metrics.families.nme.score import match_nme
from harness.metrics.foreign_poses import as_predictions
from harness.plugins import plugins
from harness.protocol import DataFile
from harness.suites.configs import configs_folder
from harness.suites.ledger import annotation_path, image_folder
from harness.suites.metainfo import read_metainfo

FACES = (
    "topdown_heatmap/300w/td-hm_hrnetv2-w18_8xb64-60e_300w-256x256",
    "topdown_heatmap/aflw/td-hm_hrnetv2-w18_8xb64-60e_aflw-256x256",
    "topdown_heatmap/coco_wholebody_face/td-hm_hourglass52_8xb32-60e_coco-wholebody-face-256x256",
    "topdown_heatmap/cofw/td-hm_hrnetv2-w18_8xb64-60e_cofw-256x256",
    "topdown_heatmap/wflw/td-hm_hrnetv2-w18_8xb64-60e_wflw-256x256",
    "rtmpose/coco_wholebody_face/rtmpose-m_8xb32-60e_coco-wholebody-face-256x256",
    "rtmpose/lapa/rtmpose-m_8xb64-120e_lapa-256x256",
    "rtmpose/wflw/rtmpose-m_8xb64-60e_wflw-256x256",
    "topdown_regression/wflw/td-reg_res50_8xb64-210e_wflw-256x256",
)
KEYERROR = "topdown_heatmap/300wlp/td-hm_hrnetv2-w18_8xb64-60e_300wlp-256x256"
COMBINED = "rtmpose/face6/rtmpose-m_8xb256-120e_face6-256x256"
"""Five data sets in one, with converted keypoints: not evaluated here."""


def reference(samples: Path) -> dict[str, Any]:
    """Return MMPose's scores of the face configs, by their path below face_2d_keypoint."""
    runs = json.loads((samples / "reference_scores.json").read_text())["runs"]
    prefix = "face_2d_keypoint/"
    return {name.removeprefix(prefix)[:-3]: found for name, found in runs.items() if name.startswith(prefix)}


def no_file(path: str, what: str) -> DataFile:
    raise AssertionError(f"NME reads no {what}, such as {path}")


def loaded(name: str) -> Config:
    return Config.fromfile(configs_folder() / "face_2d_keypoint" / f"{name}.py", import_custom_modules=False)


def test_the_list_is_complete(zoo_samples: Path) -> None:
    assert set(reference(zoo_samples)) == {*FACES, KEYERROR, COMBINED}


@pytest.mark.parametrize("name", FACES)
def test_scores(name: str, zoo_samples: Path) -> None:
    config, expected = loaded(name), reference(zoo_samples)[name]
    dataset = config.test_dataloader.dataset
    if dataset.type not in plugins("datasets"):
        pytest.skip(f"{dataset.type} is not read here")
    scoring = PLUGIN.read_scoring(config.test_evaluator, dataset, (), no_file)
    count = len(read_metainfo(dataset).names)
    annotations = zoo_samples / annotation_path(config)
    people = load_people(dataset.type, annotations, zoo_samples / image_folder(config), None, None)
    truth = dataset_class(dataset.type).labelled(annotations, count)
    assert (len(people), len(people.images)) == (expected["samples"], expected["images"])
    shift = 2 * (1 + np.arange(count) / count)
    for kind, offsets in (("perfect", np.zeros((count, 2))), ("shifted", np.stack([shift, shift / 2], axis=1))):
        keypoints = (truth.keypoints[truth.places(people.ids)] + offsets).astype(np.float32)
        found = as_predictions(people.ids, people.image_ids, people.boxes, keypoints.astype(np.float64))
        value = match_nme(found, scoring, truth).stats()["NME"]
        assert value == pytest.approx(expected[kind]["NME"], abs=1e-7)


def test_the_config_that_mmpose_cannot_evaluate(zoo_samples: Path) -> None:
    assert reference(zoo_samples)[KEYERROR]["error"].startswith("KeyError")
    config = loaded(KEYERROR)
    with pytest.raises(SpecError, match="keypoint_indices"):
        PLUGIN.read_scoring(config.test_evaluator, config.test_dataloader.dataset, (), no_file)
